"use strict";

const byId = (id) => document.getElementById(id);

function say(text, isError = false) {
  byId("status").textContent = text;
  byId("status").className = isError ? "error" : "";
}

async function explain(response) {
  const problem = await response.json().catch(() => ({}));
  return problem.detail ? `${problem.detail} (${problem.code})` : `The service answered ${response.status}.`;
}

// The key stays in the page's memory: whoever opens it anew gives it anew.
function ask(url, options = {}) {
  const key = byId("key").value.trim();
  return fetch(url, key ? { ...options, headers: { Authorization: `Bearer ${key}` } } : options);
}

async function showModel() {
  const response = await ask("/v1/model");
  if (response.status === 401) {
    byId("asks").hidden = false;
    byId("model").textContent = byId("key").value ? await explain(response) : "Give your key.";
    return;
  }
  if (!response.ok) {
    byId("model").textContent = "The model is not loaded yet.";
    setTimeout(showModel, 3000);
    return;
  }
  const model = await response.json();
  byId("model").textContent = `${model.model_name}, version ${model.model_version}`;
  for (const channel of Object.keys(model.channels)) {
    const label = document.createElement("label");
    const input = document.createElement("input");
    input.type = "file";
    input.accept = ".nii,.gz";
    input.dataset.channel = channel;
    label.append(`${channel} `, input);
    byId("channels").append(label);
  }
}

function collect() {
  const form = new FormData();
  for (const file of [...byId("zip").files, ...byId("folder").files]) form.append("study", file);
  for (const input of document.querySelectorAll("[data-channel]")) {
    for (const file of input.files) form.append(input.dataset.channel, file);
  }
  return form;
}

function show(report) {
  const rows = report.targets.map((target) => {
    const row = document.createElement("tr");
    const told = (value) => value === null ? "-" : value.toFixed(2);
    const { volume_interval: interval, predicted_dice: dice } = target;
    const range = interval && `${told(interval.low_ml)} to ${told(interval.high_ml)} (${Math.round(100 * interval.coverage)} %)`;
    const confidence = told(target.mean_confidence);
    for (const text of [target.name, told(target.volume_ml), range ?? "-", target.n_lesions, confidence, told(dice && dice.value)]) {
      row.insertCell().textContent = text;
    }
    return row;
  });
  byId("targets").replaceChildren(...rows);
  byId("warnings").replaceChildren(...report.warnings.map((warning) => {
    const item = document.createElement("li");
    item.textContent = warning;
    return item;
  }));
  byId("downloads").replaceChildren(...Object.entries({ ...report.links.masks, report: report.links.report }).map(download));
  fetched(report.links.masks.png).then(({ url }) => { byId("overlay").src = url; }, (error) => say(error.message, true));
  byId("result").hidden = false;
}

// Not a plain link: that would not carry the key.
async function fetched(url) {
  const response = await ask(url);
  if (!response.ok) throw new Error(await explain(response));
  const named = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") ?? "");
  return { url: URL.createObjectURL(await response.blob()), name: named ? named[1] : "report.json" };
}

function download([name, url]) {
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: name });
  button.addEventListener("click", async () => {
    try {
      const file = await fetched(url);
      Object.assign(document.createElement("a"), { href: file.url, download: file.name }).click();
      setTimeout(() => URL.revokeObjectURL(file.url), 60000);
    } catch (error) {
      say(error.message, true);
    }
  });
  return button;
}

byId("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  byId("send").disabled = true;
  byId("result").hidden = true;
  say("Sending and segmenting ...");
  try {
    const response = await ask("/v1/segment?format=json", { method: "POST", body: collect() });
    if (!response.ok) throw new Error(await explain(response));
    show(await response.json());
    say("");
  } catch (error) {
    say(error.message, true);
  } finally {
    byId("send").disabled = false;
  }
});

byId("key").addEventListener("change", showModel);
showModel();
