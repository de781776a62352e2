"use strict";
// Keys, the switch of upscaling, pauses, and response times. The page works without this script, but takes no times then.

const form = document.getElementById("pad");
const image = document.getElementById("shown");
const search = document.getElementById("search");
const matches = document.getElementById("matches");
const zoom = document.getElementById("zoom");
const pause = document.getElementById("pause");
const paused = document.getElementById("paused");
const notice = document.getElementById("notice");
const classes = [...document.querySelectorAll("#classes button")];
const unrecognizable = document.getElementById("unrecognizable");

let shownSince = null; // ms; null while the image is hidden
let seen = 0; // ms for which the image was shown before the last pause
let holding = null;
let sent = false;

// A notice is shown once: a reload repeats nothing.
if (location.search) history.replaceState(null, "", location.pathname);

// The image, and for how long it is shown

async function reveal() {
  image.classList.add("waiting");
  try {
    await image.decode();
  } catch {
    if (notice) notice.textContent = "The image did not arrive. Reload the page to try again.";
    return;
  }
  image.classList.remove("waiting");
  requestAnimationFrame(() => { shownSince = performance.now(); document.body.dataset.ready = "yes"; });
}

function setHard(hard) {
  image.classList.toggle("hard", hard);
  zoom.setAttribute("aria-pressed", String(hard));
  localStorage.setItem("hard", hard ? "yes" : "");
}

function togglePause() {
  if (!pause || sent || (shownSince === null && !holding)) return;
  const resting = holding === null;
  if (resting) {
    seen += performance.now() - shownSince;
    shownSince = null;
    hold();
    holding = setInterval(hold, 1000 * Number(form.dataset.hold));
  } else {
    clearInterval(holding);
    holding = null;
    shownSince = performance.now();
  }
  image.classList.toggle("waiting", resting);
  paused.hidden = !resting;
  pause.setAttribute("aria-pressed", String(resting));
  for (const button of form.querySelectorAll("button")) if (button !== pause) button.disabled = resting;
  search.disabled = resting;
  if (resting) pause.focus();
  else start();
}

async function hold() {
  const body = new URLSearchParams({ token: form.elements.token.value });
  try {
    const answer = await fetch("/hold", { method: "POST", body });
    notice.textContent = answer.ok ? "" : "You paused for long, and the image went to somebody else. Reload the page to go on.";
  } catch {
    notice.textContent = "The server cannot be reached. What you answered before is kept.";
  }
}

// Answers

function choose(button) {
  if (button && !button.disabled) form.requestSubmit(button);
}

function fitting() {
  const text = search.value.trim().toLowerCase();
  if (!text) return [];
  const label = (button) => button.dataset.label;
  const starting = classes.filter((button) => label(button).startsWith(text));
  const containing = classes.filter((button) => !starting.includes(button) && label(button).includes(text));
  // "u" and Enter, whatever the classes are called; "um" is an umbrella before all else.
  if (text === "u") return [unrecognizable, ...starting, ...containing];
  return [...starting, ...("unrecognizable".startsWith(text) ? [unrecognizable] : []), ...containing];
}

function mark() {
  const buttons = fitting();
  const text = search.value.trim();
  for (const button of [...classes, unrecognizable]) {
    button.classList.toggle("marked", button === buttons[0]);
    button.classList.toggle("unmatched", text !== "" && !buttons.includes(button));
  }
  matches.textContent = !text ? "" : buttons.length ? `Enter: ${buttons[0].dataset.label}` : "no such answer";
}

function start() {
  if (search && classes.length > 10) search.focus();
}

function submitted(event) {
  const timed = form.elements.seconds;
  const blind = ["skip", "undo"].includes(event.submitter?.value); // both also work where the image does not arrive
  if (sent || holding || (image && !blind && shownSince === null)) {
    event.preventDefault();
    return;
  }
  sent = true;
  if (timed && shownSince !== null) timed.value = ((seen + performance.now() - shownSince) / 1000).toFixed(3);
}

// Keys

function inSearch(event) {
  if (event.key === "Enter") {
    event.preventDefault();
    choose(fitting()[0]);
  } else if (event.key === "Escape") {
    search.value = "";
    mark();
    search.blur();
  } else if (event.key === "z" && event.ctrlKey && !search.value) {
    event.preventDefault();
    choose(document.getElementById("undo"));
  }
}

function pressed(event) {
  if (event.target === search) return inSearch(event);
  if (event.repeat || event.altKey || event.metaKey) return;
  const key = event.key.toLowerCase();
  const back = key === "backspace" || (key === "z" && event.ctrlKey);
  if (event.ctrlKey && !back) return;
  const digit = classes.length <= 10 && /^[0-9]$/.test(key) ? classes[(Number(key) + 9) % 10] : undefined;
  const actions = {
    u: () => choose(unrecognizable),
    s: () => choose(document.getElementById("skip")),
    p: togglePause,
    z: () => zoom && setHard(!image.classList.contains("hard")),
    "/": () => search && search.focus(),
  };
  const action = back ? () => choose(document.getElementById("undo")) : digit ? () => choose(digit) : actions[key];
  if (!action) return;
  event.preventDefault();
  action();
}

document.addEventListener("keydown", pressed);
if (form) form.addEventListener("submit", submitted);
if (search) search.addEventListener("input", mark);
if (pause) pause.addEventListener("click", togglePause);
if (zoom) zoom.addEventListener("click", () => setHard(!image.classList.contains("hard")));
if (zoom) setHard(localStorage.getItem("hard") === "yes");
if (image) reveal();
start();
