"use strict";
// The form: opens and reduces the pictures, hands them to worker.js, shows what comes back.

const SMALLEST_SIDE = 32; // of the network's inputs
const element = (id) => document.getElementById(id);
const pictures = {}; // ImageBitmaps of "photo" and "painting"
let worker = null;
let ready = false; // whether the worker has loaded the network
let busy = false;
let timer = 0;

const say = (text) => { element("progress").textContent = text; };

function start() {
  ready = false;
  worker = new Worker("worker.js", { type: "module" });
  worker.onerror = (event) => fail(event.message || "the worker cannot be started");
  worker.onmessage = ({ data }) => {
    if (data.progress) say(data.progress);
    if (data.ready) {
      ready = true;
      element("strength").hidden = !data.ready.alpha;
      document.body.dataset.provider = data.ready.provider;
      say(`Ready (${data.ready.provider}). Choose a photograph and a painting.`);
    }
    if (data.result) show(data);
    if (data.error) fail(data.error);
    update();
  };
}

function fail(message) {
  const memory = /alloc|memory|out of bounds|device.*lost/i.test(message);
  if (busy) { // what a failed run leaves of the network is unknown
    worker.terminate();
    start();
  }
  finish(memory ? "This device has too little memory for this size; choose a smaller one."
    : `That did not work: ${message}`);
}

function finish(text) {
  clearInterval(timer);
  busy = false;
  say(text);
  update();
}

function update() {
  element("stylize").disabled = busy || !ready || !pictures.photo || !pictures.painting;
}

async function take(id, file) {
  if (!file) return;
  try {
    const bitmap = await createImageBitmap(file); // applies the EXIF orientation
    if (Math.min(bitmap.width, bitmap.height) < SMALLEST_SIDE) {
      say(`${file.name} is too small: its sides must have at least ${SMALLEST_SIDE} pixels.`);
      return;
    }
    pictures[id] = bitmap;
  } catch {
    say(`${file.name} is not a picture that this browser can read.`);
    return;
  }
  const image = element(id).querySelector("img");
  URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(file);
  image.hidden = false;
  if (ready && !busy) say(pictures.photo && pictures.painting ? "Press Stylize." : "One more picture.");
  update();
}

// ImageData of at most this shorter side; pictures are never enlarged.
function pixels(bitmap, side) {
  const scale = Math.min(1, side / Math.min(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(SMALLEST_SIDE, Math.round(bitmap.width * scale));
  canvas.height = Math.max(SMALLEST_SIDE, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.fillStyle = "white"; // behind transparent pictures
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

function stylize() {
  const content = pixels(pictures.photo, Number(element("size").value));
  const side = Math.min(content.width, content.height);
  draw("before", content);
  busy = true;
  update();
  const begin = performance.now();
  const tell = () => say(`Stylizing ${content.width} × ${content.height} pixels: `
    + `${Math.round((performance.now() - begin) / 1000)} s …`);
  tell();
  timer = setInterval(tell, 1000);
  worker.postMessage(
    { content, style: pixels(pictures.painting, side), alpha: Number(element("alpha").value) });
}

function draw(id, image) {
  const canvas = element(id);
  [canvas.width, canvas.height] = [image.width, image.height];
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function show({ result, seconds, provider }) {
  draw("after", result);
  element("after").toBlob((blob) => {
    URL.revokeObjectURL(element("download").href);
    element("download").href = URL.createObjectURL(blob);
    element("result").hidden = false;
    finish(`Done in ${seconds.toFixed(1)} s (${provider}).`);
  });
}

function compare() {
  const share = element("compare").value;
  element("compare").setAttribute("aria-valuetext", `${share} % before`);
  element("before").style.clipPath = `inset(0 ${100 - share}% 0 0)`;
}

for (const id of ["photo", "painting"]) {
  const zone = element(id);
  zone.querySelector("input").addEventListener("change", (event) => take(id, event.target.files[0]));
  zone.addEventListener("dragover", () => zone.classList.add("over"));
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    zone.classList.remove("over");
    take(id, event.dataTransfer.files[0]);
  });
}
for (const kind of ["dragover", "drop"]) { // a picture dropped beside would replace the page
  addEventListener(kind, (event) => event.preventDefault());
}
element("alpha").addEventListener("input", (event) => {
  element("percent").textContent = `${Math.round(event.target.value * 100)} %`;
});
element("compare").addEventListener("input", compare);
element("form").addEventListener("submit", (event) => { event.preventDefault(); stylize(); });

if (location.protocol === "file:") {
  say("Browsers run this page from a web server only. In this folder: python -m http.server");
} else {
  say("Loading …");
  start();
}
