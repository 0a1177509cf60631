// Runs the network beside the page, which stays responsive: WebGPU where there is one, else WASM.

let ort, session, provider;
let network = null; // bytes of network.onnx

const megabytes = (bytes) => (bytes / 1e6).toFixed(1);

async function download() {
  const response = await fetch("network.onnx");
  if (!response.ok) throw new Error(`network.onnx: status ${response.status}`);
  const total = Number(response.headers.get("Content-Length"));
  const parts = [];
  let loaded = 0;
  for (const reader = response.body.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    loaded += value.length;
    const of = total ? ` of ${megabytes(total)}` : "";
    postMessage({ progress: `Loading the network: ${megabytes(loaded)}${of} MB …` });
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

async function open(kind) {
  ort = await import(kind === "webgpu" ? "./ort.webgpu.min.mjs" : "./ort.wasm.min.mjs");
  postMessage({ progress: "Preparing the network …" });
  session = await ort.InferenceSession.create(network, { executionProviders: [kind] });
  provider = kind === "webgpu" ? "WebGPU" : "WebAssembly";
  postMessage({ ready: { provider, alpha: session.inputNames.includes("alpha") } });
}

async function start() {
  network = await download();
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  if (adapter && !adapter.info?.isFallbackAdapter) { // WebGPU in software is slower than WASM
    try {
      await open("webgpu");
      return;
    } catch (error) {
      console.warn("WebGPU cannot run this network; WebAssembly instead:", error);
    }
  }
  await open("wasm");
}

function toTensor({ data, width, height }) {
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

async function run({ content, style, alpha }) {
  const inputs = { content: toTensor(content), style: toTensor(style) };
  if (session.inputNames.includes("alpha")) inputs.alpha = new ort.Tensor("float32", [alpha], []);
  const { result } = await session.run(inputs);
  const values = await result.getData();
  result.dispose();
  return toImage(values, content.width, content.height);
}

async function stylize(request) {
  const begin = performance.now();
  let image;
  try {
    image = await run(request);
  } catch (error) {
    if (provider !== "WebGPU") throw error;
    console.warn("WebGPU failed; WebAssembly instead:", error);
    await open("wasm");
    image = await run(request);
  }
  const seconds = (performance.now() - begin) / 1000;
  postMessage({ result: image, seconds, provider }, [image.data.buffer]);
}

const tellErrors = (promise) => promise.catch((error) =>
  postMessage({ error: error?.message ?? `error ${error}` }));

const started = start();
tellErrors(started);
onmessage = ({ data }) => tellErrors(started.then(() => stylize(data)));
