// Keeps a page of `lodescan serve` fresh: words every two seconds, the report when its data has changed.
const now = document.getElementById("now"), follow = document.getElementById("follow");
let busy = false, standing = false;
function say(lines) {
  const text = lines.join("\n");
  if (now.dataset.said == text) return;
  now.dataset.said = text;
  now.replaceChildren(...lines.map((line) => Object.assign(document.createElement("p"), {textContent: line})));
}
async function fresh() {
  const answer = await fetch(location.href);
  if (!answer.ok) throw new Error(String(answer.status));
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}
async function renewList() {
  const page = await fresh(), old = document.getElementById("list"), made = page.getElementById("list");
  if (old.innerHTML == made.innerHTML) return;
  const ticked = [...document.querySelectorAll("input:checked")].map((box) => box.id), at = document.activeElement.id;
  if (old.tagName == made.tagName) old.replaceWith(made);
  else document.querySelector("main").replaceWith(page.querySelector("main"));
  for (const id of ticked) if (document.getElementById(id)) document.getElementById(id).checked = true;
  if (at) document.getElementById(at)?.focus();
}
async function renewReport() {
  const state = await (await fetch("/state" + location.search)).json();
  say(state.words);
  if (!state.stamp || state.stamp == document.body.dataset.stamp || standing) return;
  const page = await fresh(), main = document.querySelector("main"), at = document.activeElement;
  if (standing || (main.contains(at) && at.matches("select, input"))) return;   // somebody does something there
  main.style.minHeight = main.offsetHeight + "px";                  // so that the reader stays where they are
  Bokeh.index.clear();
  for (const shown of Bokeh.documents.splice(0)) shown.clear();
  main.replaceChildren(...page.querySelector("main").childNodes);
  for (const part of ["h1", ".sub", "nav"]) document.querySelector(part).replaceWith(page.querySelector(part));
  const scripts = document.getElementById("scripts"), made = page.querySelector("#scripts script");
  scripts.replaceChildren();
  if (made) scripts.append(Object.assign(document.createElement("script"), {textContent: made.textContent}));
  document.body.dataset.stamp = page.body.dataset.stamp;
  setTimeout(() => { paint(); nameAll(); main.style.minHeight = ""; }, 500);
}
async function renew() {
  if (busy || document.hidden) return;
  busy = true;
  try { await (follow ? renewReport() : renewList()); if (!follow) say([]); }
  catch { say(["No answer from lodescan serve; this page goes on when it is there again."]); }
  busy = false;
}
function stand(still) {
  standing = still;
  follow.textContent = still ? "Follow the scan again" : "Stand still";
  document.getElementById("told").textContent = still
    ? "The report stands still; the line above goes on."
    : "The report follows the scan until you touch a picture.";
}
if (follow) {
  follow.addEventListener("click", () => { stand(!standing); renew(); });
  document.querySelector("main").addEventListener("pointerdown", (event) => { if (event.target.closest(".play")) stand(true); });
}
document.addEventListener("visibilitychange", renew);
setInterval(renew, 2000);
renew();
