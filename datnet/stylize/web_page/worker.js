// Runs the network beside the page, which stays responsive: WebGPU where there is one, else WASM.

// WebGPU of some browsers and drivers never answers; after these times WASM takes over.
const SECONDS_FOR_ADAPTER = 10;
const SECONDS_TO_PREPARE = 60; // the network and a first small picture
const SECONDS_TO_STYLIZE = 180;

const RUNTIMES = {
  WebGPU: ["webgpu", "ort.webgpu.min.mjs", "ort-wasm-simd-threaded.asyncify.wasm"],
  WebAssembly: ["wasm", "ort.wasm.min.mjs", "ort-wasm-simd-threaded.wasm"],
};
const SMALLEST_SIDE = 32; // of the network's inputs

let network; // bytes of network.onnx
let engine; // the runtime, its session and the provider's name

const megabytes = (bytes) => (bytes / 1e6).toFixed(1);

function within(seconds, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${seconds} s`)), 1000 * seconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function download(name, what) {
  const response = await fetch(name);
  if (!response.ok) throw new Error(`${name}: status ${response.status}`);
  const total = Number(response.headers.get("Content-Length"));
  const parts = [];
  let loaded = 0;
  for (const reader = response.body.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    loaded += value.length;
    const of = total ? ` of ${megabytes(total)}` : "";
    postMessage({ progress: `Loading ${what}: ${megabytes(loaded)}${of} MB …` });
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

async function load(provider) {
  const [, module, binary] = RUNTIMES[provider];
  const ort = await import(`./${module}`);
  ort.env.wasm.wasmBinary = await download(binary, provider);
  return ort;
}

async function prepare(ort, provider) {
  postMessage({ progress: `Preparing the network (${provider}) …` });
  const [kind] = RUNTIMES[provider];
  const session = await ort.InferenceSession.create(network, { executionProviders: [kind] });
  ort.env.wasm.wasmBinary = undefined; // up to 27 MB, compiled by now
  return { ort, session, provider };
}

// Null where WebGPU is missing, in software (slower than WASM), fails or does not answer.
async function withWebGpu() {
  try {
    const adapter = await within(SECONDS_FOR_ADAPTER, navigator.gpu?.requestAdapter());
    if (!adapter || adapter.info?.isFallbackAdapter) return null;
    const ort = await load("WebGPU");
    return await within(SECONDS_TO_PREPARE, prepare(ort, "WebGPU").then(tried));
  } catch (error) {
    console.warn("WebGPU cannot run this network; WebAssembly instead:", error);
    return null;
  }
}

const withWasm = async () => prepare(await load("WebAssembly"), "WebAssembly");

async function tried(candidate) {
  const image = new ImageData(SMALLEST_SIDE, SMALLEST_SIDE);
  image.data.forEach((_, place) => { image.data[place] = (place * 37) % 256; });
  const values = await run(candidate, { content: image, style: image, alpha: 1 });
  if (!values.every(Number.isFinite)) throw new Error("its results are not finite");
  return candidate;
}

async function start() {
  network = await download("network.onnx", "the network");
  engine = (await withWebGpu()) ?? (await withWasm());
  const { provider, session } = engine;
  postMessage({ ready: { provider, alpha: session.inputNames.includes("alpha") } });
}

function toTensor(ort, { data, width, height }) {
  const count = width * height;
  const values = new Float32Array(3 * count);
  for (let pixel = 0; pixel < count; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      values[channel * count + pixel] = data[4 * pixel + channel] / 255;
    }
  }
  return new ort.Tensor("float32", values, [1, 3, height, width]);
}

function toImage(values, width, height) {
  const count = width * height;
  const data = new Uint8ClampedArray(4 * count).fill(255); // rounds and clamps
  for (let pixel = 0; pixel < count; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      data[4 * pixel + channel] = 255 * values[channel * count + pixel];
    }
  }
  return new ImageData(data, width, height);
}

async function run({ ort, session }, { content, style, alpha }) {
  const inputs = { content: toTensor(ort, content), style: toTensor(ort, style) };
  if (session.inputNames.includes("alpha")) inputs.alpha = new ort.Tensor("float32", [alpha], []);
  const { result } = await session.run(inputs);
  const values = await result.getData();
  result.dispose();
  return values;
}

async function stylize(request) {
  const begin = performance.now();
  let values;
  if (engine.provider === "WebGPU") {
    try {
      values = await within(SECONDS_TO_STYLIZE, run(engine, request));
    } catch (error) {
      console.warn("WebGPU failed; WebAssembly instead:", error);
      engine = await withWasm();
    }
  }
  values ??= await run(engine, request);
  const { width, height } = request.content;
  const image = toImage(values, width, height);
  const seconds = (performance.now() - begin) / 1000;
  const { provider } = engine;
  postMessage({ result: image, seconds, provider }, [image.data.buffer]);
}

const tellErrors = (promise) => promise.catch((error) =>
  postMessage({ error: error?.message ?? `error ${error}` }));

const started = start();
tellErrors(started);
onmessage = ({ data }) => tellErrors(started.then(() => stylize(data)));
