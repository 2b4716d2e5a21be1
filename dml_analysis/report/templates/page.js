// Switches of the page: the protocol, which all parts follow, and light or dark.
"use strict";
(() => {
  const root = document.documentElement;

  const remembered = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
  const remember = (name, value) => { try { localStorage.setItem(name, value); } catch { /* a file may not store anything */ } };

  function choose(name, apply, keep) {
    const inputs = [...document.querySelectorAll(`input[name="${name}"]`)];
    const before = keep && inputs.find((each) => each.value === remembered(name));
    if (before) before.checked = true;
    for (const each of inputs) {
      each.addEventListener("change", () => { apply(each.value); if (keep) remember(name, each.value); });
    }
    const checked = inputs.find((each) => each.checked);
    if (checked) apply(checked.value);
  }

  choose("theme", (value) => { root.dataset.theme = value; }, true);
  choose("protocol", (value) => {
    root.dataset.protocol = value;
    document.dispatchEvent(new CustomEvent("protocol", { detail: value }));
  }, false);

  addEventListener("beforeprint", () => {
    for (const each of document.querySelectorAll("details")) each.open = true;
    for (const each of document.querySelectorAll("img[loading]")) each.loading = "eager";
  });
})();
