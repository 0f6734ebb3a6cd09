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
document.getElementById("all")?.addEventListener("click", () => {
  for (const filter of filters) filter.value = "";
  show();
});
if (count) {
  document.getElementById("filters").hidden = false;
  show();
}
