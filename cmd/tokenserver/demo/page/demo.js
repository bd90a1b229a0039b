// Draws the state of the demo and posts the forms; the page has no other logic.
"use strict";

const byId = (id) => document.getElementById(id);
let after = 0;
let first = true;

function row(event) {
  const item = document.createElement("li");
  item.className = event.outcome + (first ? "" : " fresh");
  const time = document.createElement("time");
  time.textContent = event.time;
  const code = document.createElement("code");
  code.textContent = event.code;
  item.append(time, code);
  const details = Object.entries(event.details).map(([key, value]) => `${key}: ${value}`).join(", ");
  if (details) {
    const small = document.createElement("small");
    small.textContent = details;
    item.append(small);
  }
  return item;
}

function draw(state) {
  byId("device").textContent = state.device;
  byId("screen").textContent = state.screen;
  byId("portal-says").textContent = state.portal;
  const question = byId("question");
  const appears = question.hidden && state.message;
  question.hidden = !state.message;
  if (state.message) {
    byId("text").textContent = state.message.text;
    byId("secure").textContent = state.message.secure;
    byId("pin-row").hidden = byId("pin-hint").hidden = !state.message.pin;
    if (appears && state.message.pin) byId("pin").focus();
  }
  const list = byId("events");
  for (const event of state.events) {
    list.prepend(row(event));
    after = event.position;
  }
  first = false;
}

async function refresh() {
  try {
    const answer = await fetch(`/state?after=${after}`);
    if (answer.ok) draw(await answer.json());
  } catch {
    byId("portal-says").textContent = "The demo has stopped.";
  }
}

async function loop() {
  await refresh();
  setTimeout(loop, 600);
}

for (const form of document.querySelectorAll("form[data-post]")) {
  form.addEventListener("submit", async (submitted) => {
    submitted.preventDefault();
    const data = new URLSearchParams(new FormData(form, submitted.submitter));
    const buttons = form.querySelectorAll("button");
    buttons.forEach((button) => { button.disabled = true; });
    byId("pin").value = "";
    try {
      await fetch(form.dataset.post, { method: "POST", body: data });
      await refresh();
    } finally {
      buttons.forEach((button) => { button.disabled = false; });
    }
  });
}

loop();
