const root = document.documentElement, said = document.getElementById("said");
root.classList.add("live");
window.addEventListener("error", (event) => {   // the images tell the same
  if (event.error) root.classList.remove("live");   // else it is a notice, such as one of many changes of size
});
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  try { await navigator.clipboard.writeText(button.dataset.copy); said.textContent = "Copied."; }
  catch { window.prompt("Copy this:", button.dataset.copy); }
});
const still = document.getElementById("still");
if (still) {
  still.parentElement.hidden = false;
  still.addEventListener("click", (event) => {
    event.target.setAttribute("aria-pressed", String(!root.classList.toggle("live")));
  });
}
const dark = matchMedia("(prefers-color-scheme: dark)");
function paint() {   // text in Bokeh's pictures has the page's colour
  const text = getComputedStyle(root).getPropertyValue("--soft").trim();
  const faint = dark.matches ? {bad: "#7f8b99", unphysical: "#66717e"} : {bad: "#6f7b89", unphysical: "#868f9a"};
  for (const shown of Bokeh.documents)
    for (const model of shown.all_models) {
      if (model.name in faint) for (const glyph of [model.glyph, model.nonselection_glyph]) glyph.line_color = {value: faint[model.name]};
      if (model.name == "NLL" && (model.palette[0] > model.palette.at(-1)) != dark.matches) model.palette = [...model.palette].reverse();
      for (const name of ["axis_label_text_color", "major_label_text_color", "label_text_color", "title_text_color", "axis_line_color", "major_tick_line_color"])
        if (name in model.properties) model[name] = text;
    }
}
const named = new WeakSet();
function name(node, says) {   // Bokeh draws its buttons as elements without a role, within shadow roots
  const put = (at, all) => { for (const [key, value] of Object.entries(all)) at.setAttribute(key, value); };
  for (const at of node.querySelectorAll("canvas")) put(at, {"aria-hidden": "true"});
  for (const at of node.querySelectorAll(".bk-events")) put(at, {role: "img", "aria-label": says});
  for (const at of node.querySelectorAll(".bk-ClickButton, .bk-OnOffButton")) put(at, {role: "button", "aria-label": at.title});
  for (const at of node.querySelectorAll(".bk-OnOffButton")) put(at, {"aria-pressed": at.classList.contains("bk-active")});
  for (const at of node.querySelectorAll(".bk-tool-overflow")) put(at, {role: "button", "aria-label": "More tools"});
  for (const at of node.querySelectorAll("*")) if (at.shadowRoot) name(at.shadowRoot, says);
  if (named.has(node)) return;
  named.add(node);
  new MutationObserver(() => name(node, says)).observe(node, {childList: true, subtree: true, attributeFilter: ["class"]});
}
function nameAll() {
  for (const play of document.querySelectorAll(".play")) name(play, play.getAttribute("aria-label"));
}
dark.addEventListener("change", paint);
window.addEventListener("load", () => setTimeout(() => { paint(); nameAll(); }));
