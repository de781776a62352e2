// The two pictures: chosen, dropped or exchanged, and shown as they are and as the network sees them.

import { byId } from "./dom.js";
import { resample } from "./resample.js";

export const SIDES = ["original", "reconstruction"];

const MOST_PIXELS = 2 ** 25; // a larger picture is scored, and not shown
const chosen = { original: null, reconstruction: null };
let input = null; // the model's, once it is known
let changed = () => {};

/** Both files, or null where one is missing. */
export function pair() {
  return SIDES.every((side) => chosen[side]) ? chosen : null;
}

/** Let people choose, and call `whenChanged` after each choice. */
export function listen(whenChanged) {
  changed = whenChanged;
  for (const side of SIDES) {
    byId(side).addEventListener("change", ({ target }) => target.files.length && take({ [side]: target.files[0] }));
  }
  byId("swap").addEventListener("click", () => take({ original: chosen.reconstruction, reconstruction: chosen.original }));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    drop(event.target.closest?.("[data-side]")?.dataset.side, [...event.dataTransfer.files]);
  });
}

// Two files are the original and the reconstruction in this order, unless the first was dropped on the reconstruction.
function drop(side, [first, second]) {
  const target = side ?? (chosen.original && !chosen.reconstruction && !second ? "reconstruction" : "original");
  const other = SIDES.find((name) => name !== target);
  if (first) take(second ? { [target]: first, [other]: second } : { [target]: first });
}

/** Take files, each { side: file or null }, in the place of those that are there. */
export async function take(files) {
  Object.assign(chosen, files);
  for (const side of Object.keys(files)) if (byId(side).files[0] !== files[side]) byId(side).value = "";
  byId("swap").disabled = !pair();
  changed(); // before the new pictures are shown: no answer of the pair before stands beside them
  await Promise.all(Object.keys(files).map(show));
}

/** Show the pictures as the network of this manifest sees them, from now on. */
export function seenBy(manifest) {
  ({ input } = manifest);
  byId("seen-size").textContent = `${input.width}x${input.height}`;
  SIDES.forEach(show);
}

async function show(side) {
  const [canvas, small, note] = [byId(`${side}-shown`), byId(`${side}-seen`), byId(`${side}-note`)];
  const file = chosen[side];
  canvas.hidden = small.hidden = true;
  note.textContent = "none yet";
  if (!file) return;
  note.textContent = "a picture that this browser cannot show; the service may read it all the same";
  const picture = await pixels(file).catch(() => null);
  if (!picture || chosen[side] !== file) return;
  note.textContent = `${picture.width}x${picture.height} pixels, ${(file.size / 1024).toFixed(1)} KiB`;
  draw(canvas, picture, side);
  const seen = input && resample(picture, input.width, input.height, input.filter);
  if (seen) draw(small, seen, `${side} as the network sees it`);
}

// The pixels as the service decodes them: upright, and on white.
async function pixels(file) {
  const bitmap = await createImageBitmap(file);
  if (bitmap.width * bitmap.height > MOST_PIXELS) return null;
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, bitmap.width, bitmap.height);
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

function draw(canvas, picture, name) {
  canvas.width = picture.width;
  canvas.height = picture.height;
  canvas.getContext("2d").putImageData(picture, 0, 0);
  canvas.classList.toggle("small", picture.width < 256);
  canvas.setAttribute("aria-label", `The ${name}, ${picture.width} by ${picture.height} pixels`);
  canvas.hidden = false;
}
