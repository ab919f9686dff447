"use strict";
// Three comforts. All pages work without this script.
(() => {
  const live = document.getElementById("live");

  // Copy buttons.
  for (const button of navigator.clipboard ? document.querySelectorAll("[data-copy]") : []) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const line = button.parentElement.querySelector("code");
      try {
        await navigator.clipboard.writeText(line.textContent);
        button.firstChild.data = "Copied";
        live.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(line);
      }
      setTimeout(() => { button.firstChild.data = "Copy"; live.textContent = ""; }, 2000);
    });
  }

  // `/` goes to the search.
  const input = document.querySelector("input[type=search]");
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
    if (event.key === "/" && input && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      input.focus();
    }
  });

  // Search while somebody types.
  const hits = document.getElementById("hits");
  if (!hits || !input) return;
  let timer, asked = 0;
  const element = (name, className, text) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text) made.textContent = text;
    return made;
  };
  const show = (found, url) => {
    const list = element("ol", "rows");
    for (const each of found.packages) {
      const hit = list.appendChild(element("li", "hit"));
      const link = hit.appendChild(element("span", "name")).appendChild(element("a", "", each.name));
      link.href = each.href;
      hit.appendChild(element("span", "meta", each.facts));
      if (each.summary) hit.appendChild(element("p", "", each.summary));
    }
    hits.replaceChildren(element("p", "soft small", found.sentence), ...(found.packages.length ? [list] : []));
    live.textContent = found.sentence;
    history.replaceState(null, "", url);
  };
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const mine = ++asked;
      const url = new URL(input.form.action);
      url.searchParams.set("q", input.value);
      const data = new URL(url);
      data.searchParams.set("format", "json");
      try {
        const answer = await fetch(data);
        if (answer.ok && mine === asked) show(await answer.json(), url);
      } catch {
        // The button still works.
      }
    }, 150);
  });
})();
