// Draws where a pair lies: its leakage between 0 and 1, and its chance among the model's controls.

import { element, shape } from "./dom.js";
import { percent } from "./verdict.js";

const WIDTH = 400;
const LEFT = 16;
const SPAN = WIDTH - 2 * LEFT;
const HIGH = 26; // the top of a scale
const LOW = 44; // its bottom
const FLOOR = 110; // the bottom of a histogram
const BARS = 84; // the height of its highest bar

/** The leakage with its range, and the model's threshold. */
export function leakageScale({ leakage, leakage_low: low, leakage_high: high }, threshold) {
  const place = (value) => LEFT + SPAN * value;
  const range = low === null ? "" : `, range ${low.toFixed(2)} to ${high.toFixed(2)}`;
  const limit = threshold === null ? "" : `; the model's threshold is ${threshold}`;
  return scale(
    "Leakage",
    `A scale from 0 to 1. The leakage is ${leakage.toFixed(2)}${range}${limit}.`,
    threshold === null ? [] : [bar("over", place(threshold), place(1))],
    low === null ? [] : [bar("range", place(low), place(high))],
    threshold === null ? [] : mark(place(threshold), `threshold ${threshold}`),
    pointer(place(leakage), "this pair"),
    [0, 0.25, 0.5, 0.75, 1].flatMap((value) => tick(place(value), String(value))),
  );
}

/** The controls from the nearest to the farthest, with this pair among them. The scale is logarithmic. */
export function controlsScale(chance, count) {
  const least = Math.min(1 / (count + 1), chance);
  const place = (share) => LEFT + SPAN * (1 - Math.log(share) / Math.log(least));
  const ticks = [least, 0.01, 0.1, 1].filter((share, at, all) => !at || share > 1.5 * all[0]);
  return scale(
    "Among the controls",
    `The model carries ${count} public pictures. ${percent(chance)} of them, this pair counted with them, are as near to the reconstruction as its original is. Below 1% the pair is identified.`,
    least < 0.01 ? [bar("over", place(least), place(0.01))] : [],
    [bar("range", place(least), place(chance))],
    least < 0.01 ? mark(place(0.01), "identified to the left") : [],
    pointer(place(chance), "this pair"),
    ticks.flatMap((share) => tick(place(share), percent(share))),
  );
}

/** The distances of the controls to the reconstruction, with that of the original, this pair's, among them. */
export function controlsHistogram({ controls_histogram: { edges, counts }, distance, chance }) {
  const top = edges.at(-1);
  const most = Math.max(...counts);
  const controls = counts.reduce((sum, count) => sum + count, 0);
  const near = Math.round(chance * (controls + 1)) - 1;
  const bins = counts.map((count, at) => ({ count, from: edges[at], to: edges[at + 1] })).filter(({ count }) => count);
  const peak = bins.find(({ count }) => count === most);
  const place = (value) => LEFT + (SPAN * value) / top;
  const bars = bins.map(({ count, from, to }) => {
    const height = Math.max(2, (BARS * count) / most);
    const width = place(to) - place(from) - 1;
    return shape("rect", { class: "range", x: place(from) + 0.5, y: FLOOR - height, width, height });
  });
  const told = `The ${controls} controls are ${fixed(bins[0].from)} to ${fixed(bins.at(-1).to)} from the reconstruction, most often ${fixed(peak.from)} to ${fixed(peak.to)}. Its original, this pair, is ${fixed(distance)} from it: ${near ? `${near} of the controls ${near === 1 ? "is" : "are"} as near` : "nearer than each of them"}.`;
  return figure("Distances of the controls", told, FLOOR + 22, [
    ...bars,
    shape("line", { class: "tick", x1: LEFT, x2: LEFT + SPAN, y1: FLOOR, y2: FLOOR }),
    shape("line", { class: "mark", x1: place(distance), x2: place(distance), y1: 20, y2: FLOOR + 4 }),
    label(place(distance), 14, "this pair", "strong"),
    ...[0, top / 2, top].map((value) => label(place(value), FLOOR + 18, fixed(value))),
  ]);
}

function fixed(value) {
  return value.toFixed(2);
}

function scale(title, text, ...parts) {
  const whole = shape("rect", { class: "scale", x: LEFT, y: HIGH, width: SPAN, height: LOW - HIGH });
  return figure(title, text, 84, [whole, ...parts.flat()]);
}

function figure(title, text, height, parts) {
  const box = { viewBox: `0 0 ${WIDTH} ${height}`, "aria-hidden": "true" }; // the caption says it all
  const caption = element("figcaption", {}, element("strong", {}, title), ` ${text}`);
  return element("figure", {}, caption, shape("svg", box, parts));
}

function bar(name, from, to) {
  return shape("rect", { class: name, x: from, y: HIGH, width: Math.max(2, to - from), height: LOW - HIGH });
}

function mark(x, text) {
  return [shape("line", { class: "mark", x1: x, x2: x, y1: HIGH - 6, y2: LOW + 6 }), label(x, 78, text)];
}

function pointer(x, text) {
  return [shape("path", { class: "pointer", d: `M${x} ${LOW - 4}l-8 -20h16z` }), label(x, 14, text, "strong")];
}

function tick(x, text) {
  return [shape("line", { class: "tick", x1: x, x2: x, y1: LOW, y2: LOW + 5 }), label(x, 60, text)];
}

// A label stays within the picture.
function label(x, y, text, name = "label") {
  const anchor = x < 70 ? "start" : x > WIDTH - 70 ? "end" : "middle";
  const at = anchor === "start" ? Math.max(x - 8, 2) : anchor === "end" ? Math.min(x + 8, WIDTH - 2) : x;
  return shape("text", { class: name, x: at, y, "text-anchor": anchor }, text);
}
