const root = document.documentElement;
const toggle = document.getElementById("theme");
const dark = () =>
  root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
const nameTheme = () => (toggle.textContent = dark() ? "Light colors" : "Dark colors");
toggle.addEventListener("click", () => {
  root.dataset.theme = dark() ? "light" : "dark";
  nameTheme();
});
toggle.hidden = false;
nameTheme();

const filters = [...document.querySelectorAll("#filters select")];
const examples = [...document.querySelectorAll("#gallery > li")];
const count = document.getElementById("count");
function show() {
  for (const example of examples)
    example.hidden = filters.some((f) => f.value && example.dataset[f.name] !== f.value);
  const shown = examples.filter((example) => !example.hidden).length;
  count.textContent = `${shown} of ${examples.length} examples`;
}
for (const filter of filters) filter.addEventListener("change", show);
function showAll() {
  for (const filter of filters) filter.value = "";
  show();
}
document.getElementById("all")?.addEventListener("click", showAll);
for (const link of document.querySelectorAll("#findings a[href^='#item-']")) link.addEventListener("click", showAll);

const enlarged = document.getElementById("enlarged");
const large = document.createElement("img");
let current = null;
function enlarge(button) {
  const small = button.querySelector("img");
  current = button;
  large.src = small.src;
  large.alt = small.alt;
  enlarged.prepend(large);
  enlarged.querySelector("p").textContent = small.alt;
  if (!enlarged.open) enlarged.showModal();
}
function step(by) {
  const buttons = [...document.querySelectorAll("#gallery > li:not([hidden]) .enlarge")];
  const next = buttons[(buttons.indexOf(current) + by + buttons.length) % buttons.length];
  enlarge(next);
}
for (const button of document.querySelectorAll(".enlarge")) button.addEventListener("click", () => enlarge(button));
document.getElementById("previous").addEventListener("click", () => step(-1));
document.getElementById("next").addEventListener("click", () => step(1));
document.getElementById("close").addEventListener("click", () => enlarged.close());
enlarged.addEventListener("click", (event) => event.target === enlarged && enlarged.close());
enlarged.addEventListener("close", () => current.focus());
enlarged.addEventListener("keydown", (event) => {
  if (event.key === "ArrowLeft") step(-1);
  if (event.key === "ArrowRight") step(1);
});
if (count) {
  document.getElementById("filters").hidden = false;
  show();
}
