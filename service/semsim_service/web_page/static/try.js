// The page to try it: choose a pair, score it, and read what the numbers say.

import { card } from "./card.js";
import { controlsHistogram, controlsScale, leakageScale } from "./charts.js";
import { refresh, watch } from "./counters.js";
import { byId, element, table } from "./dom.js";
import { SIDES, listen, pair, seenBy, take } from "./pictures.js";
import { Refusal, ask, commands } from "./service.js";
import { numbers, verdict } from "./verdict.js";

const ASKS_HISTOGRAM = { "X-Semsim-Controls": "histogram" };
const asksToken = document.body.dataset.asksToken === "yes";
let model = null; // GET /model, once it is there
let running = null;

async function score() {
  running?.abort();
  if (!pair()) return say("none", "Nothing to score yet", ["Choose an original and a reconstruction, or an example."]);
  if (asksToken && !byId("token").value) {
    byId("token").focus();
    return say("refused", "Not scored", ["This service asks for a token. Type it above, and score again."]);
  }
  const begun = (running = new AbortController());
  const body = new FormData();
  for (const side of SIDES) body.append(side, pair()[side], side); // the files' names stay here
  say("none", "Scoring", []); // nothing of the pair before stays beside this one
  try {
    const answer = await ask("/score", { method: "POST", body, headers: ASKS_HISTOGRAM, signal: begun.signal });
    if (model?.manifest.graph.sha256 !== answer.model.sha256) await loadModel();
    if (begun !== running) return undefined; // another pair was chosen meanwhile
    show(answer.results[0]);
  } catch (error) {
    if (error.name === "AbortError") return undefined;
    if (!(error instanceof Refusal)) throw error;
    if (error.code === "unauthenticated") byId("token").focus();
    say("refused", "Not scored", [`${error.message} (${error.code}).`, "This does not say that nothing leaks."]);
  }
  return refresh();
}

function show(result) {
  const manifest = model?.manifest ?? null;
  const { kind, headline, sentences } = verdict(result, manifest);
  say(kind, headline, sentences);
  if (result.error) return;
  const scales = [];
  if (result.leakage !== null) scales.push(leakageScale(result, manifest?.threshold ?? null));
  if (result.chance !== null && manifest?.controls) scales.push(controlsScale(result.chance, manifest.controls.count));
  if (result.controls_histogram) scales.push(controlsHistogram(result));
  const rows = numbers(result).map(([name, value, meaning]) => [element("code", {}, name), value, meaning]);
  byId("result").scrollIntoView({ block: "nearest" });
  byId("numbers").replaceChildren(...scales, table("All numbers of this pair", ["number", "value", "meaning"], rows));
}

function say(kind, headline, sentences) {
  byId("result").dataset.kind = kind;
  byId("headline").textContent = headline;
  byId("sentences").replaceChildren(...sentences.map((text) => element("p", {}, text)));
  byId("numbers").replaceChildren();
}

async function loadModel() {
  if (asksToken && !byId("token").value) return;
  try {
    model = await ask("/model");
    byId("card").replaceChildren(...card(model));
    seenBy(model.manifest);
  } catch (error) {
    byId("card").replaceChildren(element("p", {}, `The model's card cannot be read: ${error.message}.`));
  }
}

async function takeExample(button) {
  const names = [button.dataset.original, button.dataset.reconstruction];
  try {
    const answers = await Promise.all(names.map((name) => fetch(name)));
    if (!answers.every(({ ok }) => ok)) throw new TypeError("expected pictures");
    const files = await Promise.all(answers.map((answer) => answer.blob()));
    await take({ original: files[0], reconstruction: files[1] });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    say("refused", "Not scored", ["The example cannot be read, since the service does not give it."]);
  }
}

async function copy(button) {
  const text = byId(button.dataset.copies);
  getSelection().selectAllChildren(text);
  const copied = await navigator.clipboard?.writeText(text.textContent).then(() => true, () => false);
  byId("copied").textContent = copied ? "Copied." : "Selected: press Ctrl+C, or Command+C, to copy it.";
}

for (const [name, text] of Object.entries(commands(asksToken))) byId(`as-${name}`).textContent = text;
for (const button of document.querySelectorAll("[data-copies]")) button.addEventListener("click", () => copy(button));
for (const button of document.querySelectorAll("[data-original]")) button.addEventListener("click", () => takeExample(button));
byId("pair").addEventListener("submit", (event) => {
  event.preventDefault();
  score();
});
byId("pair").reset();
byId("token-field").hidden = !asksToken;
byId("token").addEventListener("change", loadModel);
listen(score);
await loadModel();
watch();
document.body.dataset.ready = "yes";
