// Stretches pictures to the model's input size as the service does: by Pillow's filters, with their arithmetic
// (https://github.com/python-pillow/Pillow, src/libImaging/Resample.c), to the last bit.

const BITS = 22; // of the fixed point of Pillow's coefficients

const FILTERS = {
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { support: 2, weight: (x) => cubic(Math.abs(x), -0.5) },
  lanczos: { support: 3, weight: (x) => (-3 <= x && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

function cubic(x, a) {
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

function sinc(x) {
  return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
}

/** The picture { width, height, data } (RGBA) at another size. Null for a filter that is not known here. */
export function resample(picture, width, height, filter) {
  if (filter === "nearest") return nearest(picture, width, height);
  if (!(filter in FILTERS)) return null;
  const across = pass(picture, width, picture.width, 4, picture.width * 4, picture.height, FILTERS[filter]);
  const rows = { width, height: picture.height, data: across };
  const down = pass(rows, height, picture.height, width * 4, 4, width, FILTERS[filter], true);
  return new ImageData(down, width, height);
}

// One pass along rows or columns. `step` is from a pixel to the next along the pass, `skip` from a line to the next.
function pass(picture, size, from, step, skip, lines, filter, vertical = false) {
  if (size === from) return picture.data;
  const made = new Uint8ClampedArray(size * lines * 4);
  coefficients(from, size, filter).forEach(({ first, weights }, place) => {
    for (let line = 0; line < lines; line++) {
      const target = 4 * (vertical ? place * lines + line : line * size + place);
      for (let channel = 0; channel < 4; channel++) {
        let sum = 1 << (BITS - 1);
        let source = line * skip + first * step + channel;
        for (const weight of weights) {
          sum += picture.data[source] * weight;
          source += step;
        }
        made[target + channel] = sum >> BITS;
      }
    }
  });
  return made;
}

function coefficients(from, size, filter) {
  const scale = from / size;
  const stretch = Math.max(1, scale);
  const support = filter.support * stretch;
  return Array.from({ length: size }, (_, place) => {
    const centre = (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(from, Math.trunc(centre + support + 0.5));
    const weights = [];
    for (let at = first; at < end; at++) weights.push(filter.weight((at - centre + 0.5) * (1 / stretch)));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const fixed = weights.map((weight) => (total ? weight / total : weight) * (1 << BITS));
    return { first, weights: fixed.map((weight) => Math.trunc(weight + (weight < 0 ? -0.5 : 0.5))) };
  });
}

function nearest(picture, width, height) {
  const made = new ImageData(width, height);
  const pixels = new Uint32Array(picture.data.buffer);
  const target = new Uint32Array(made.data.buffer);
  const columns = places(picture.width, width);
  places(picture.height, height).forEach((row, y) => {
    columns.forEach((column, x) => (target[y * width + x] = pixels[row * picture.width + column]));
  });
  return made;
}

// Pillow adds step to step, whose rounding decides where a place lies between two pixels.
function places(from, size) {
  const step = from / size;
  let at = step * 0.5;
  return Array.from({ length: size }, () => {
    const place = Math.trunc(at);
    at += step;
    return place;
  });
}
