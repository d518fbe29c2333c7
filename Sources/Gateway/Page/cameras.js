// The cameras' page: a grid that is refreshed while somebody looks.

import { wordsFor } from "./words.js";

const grid = document.getElementById("grid");
const template = document.getElementById("card");
const filter = document.getElementById("filter");
const cards = new Map();
let cameras = [];

function card(name) {
  const node = template.content.firstElementChild.cloneNode(true);
  node.href = `/${name}`;
  const slash = name.lastIndexOf("/") + 1;
  node.querySelector(".folder").textContent = name.slice(0, slash);
  node.querySelector(".leaf").textContent = name.slice(slash);
  return node;
}

function update(node, camera) {
  const words = wordsFor(camera.state);
  const badge = node.querySelector(".badge");
  badge.textContent = words.badge;
  badge.dataset.tone = words.tone;
  node.dataset.tone = words.tone;
  node.querySelector(".why").textContent = camera.reason;
  const size = camera.width ? `${camera.width} × ${camera.height}` : "";
  const rate = camera.fps ? `${Math.round(camera.fps)} fps` : "";
  node.querySelector(".media").textContent = [camera.codec, size, rate].filter(Boolean).join(" · ");
  const watching = camera.viewers === 1 ? "1 watching" : `${camera.viewers} watching`;
  node.querySelector(".watching").textContent = camera.viewers > 0 ? watching : "";
}

function render() {
  const wanted = filter.value.trim().toLowerCase();
  const matches = ({ name, tags }) =>
    name.toLowerCase().includes(wanted) || tags.some((tag) => tag.toLowerCase().includes(wanted));
  const shown = cameras.filter(matches);
  const names = new Set(shown.map((camera) => camera.name));
  for (const [name, node] of cards) {
    if (names.has(name)) continue;
    node.remove();
    cards.delete(name);
  }
  shown.forEach((camera, index) => {
    let node = cards.get(camera.name);
    if (!node) {
      node = card(camera.name);
      cards.set(camera.name, node);
    }
    update(node, camera);
    if (grid.children[index] !== node) grid.insertBefore(node, grid.children[index] ?? null);
  });
  const live = cameras.filter((camera) => camera.state === "live").length;
  const total = cameras.length === 1 ? "1 camera" : `${cameras.length} cameras`;
  document.getElementById("summary").textContent = cameras.length > 0 ? `${total}, ${live} live` : "";
  const empty = document.getElementById("empty");
  empty.hidden = shown.length > 0;
  empty.textContent = cameras.length > 0 ? "No camera has that in its name or tags." : "No cameras are configured yet.";
  filter.hidden = cameras.length < 7;
}

async function refresh() {
  const lost = document.getElementById("lost");
  try {
    const response = await fetch("/api/v1/cameras", { cache: "no-store", signal: AbortSignal.timeout(5000) });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    ({ cameras } = await response.json());
    cameras.sort((one, other) => one.name.localeCompare(other.name, undefined, { numeric: true }));
    lost.hidden = true;
    render();
  } catch {
    lost.hidden = false;
  }
}

filter.addEventListener("input", render);
document.addEventListener("visibilitychange", () => document.hidden || refresh());
setInterval(() => document.hidden || refresh(), 2000);
refresh();
