// The service's live numbers, from GET /metrics, which asks for no token and counts as no request.

import { byId, described } from "./dom.js";

const SECONDS = 5;
const SAMPLE = /^(\w+)(\{.*\})? (\S+)$/;

/** The samples of a text in Prometheus' format: { name, labels, value }. */
export function samples(text) {
  return text.split("\n").flatMap((line) => {
    const [, name, labels = "", value] = SAMPLE.exec(line) ?? [];
    return name ? [{ name, labels, value: Number(value) }] : [];
  });
}

function counted(all) {
  const sum = (name, accept = () => true) =>
    all.filter((sample) => sample.name === name && accept(sample.labels)).reduce((total, sample) => total + sample.value, 0);
  const ok = (labels) => labels.includes('code="ok"');
  const requests = sum("semsim_request_seconds_count");
  const mean = requests ? `${((1000 * sum("semsim_request_seconds_sum")) / requests).toFixed(1)} ms` : "none yet";
  return [
    ["Pairs scored", sum("semsim_pairs_total", ok)],
    ["of these recognizable", sum("semsim_recognizable_pairs_total")],
    ["of these could not be told", sum("semsim_uninformative_pairs_total")],
    ["Pairs not scored", sum("semsim_pairs_total", (labels) => !ok(labels))],
    ["Requests answered", sum("semsim_requests_total", ok)],
    ["Requests refused or failed", sum("semsim_requests_total", (labels) => !ok(labels))],
    ["Mean time of a request", mean],
    ["Pairs in the queue", sum("semsim_queue_pairs")],
  ];
}

/** Read the numbers and show them. */
export async function refresh() {
  try {
    const answer = await fetch("/metrics", { cache: "no-store" });
    if (!answer.ok) throw new Error(`expected 200, got ${answer.status}`);
    byId("counters").replaceChildren(...described(counted(samples(await answer.text()))));
    byId("counters-note").textContent = `All workers together, read every ${SECONDS} seconds.`;
  } catch {
    byId("counters-note").textContent = "The service cannot be reached. The numbers are those of before.";
  }
}

/** Read them again and again, as long as somebody looks. */
export function watch() {
  refresh();
  setInterval(() => document.visibilityState === "visible" && refresh(), 1000 * SECONDS);
}
