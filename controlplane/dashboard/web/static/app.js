// Live sections by server-sent events, and actions that ask first. Pages can be read without any of it.
"use strict";

const live = document.getElementById("live");

function put(id, html) {
  const section = document.getElementById(id);
  if (!section) return;
  // Where the reader is stays: the focused button, and how far a list was scrolled.
  const focused = section.contains(document.activeElement) ? document.activeElement.dataset.verb : undefined;
  const list = section.querySelector(".events");
  const scrolled = list ? list.scrollTop : 0;
  section.innerHTML = html; // made by the server's templates, which escape every value
  if (focused) section.querySelector(`[data-verb="${CSS.escape(focused)}"]`)?.focus();
  if (scrolled) section.querySelector(".events").scrollTop = scrolled;
  localTimes(section);
}

function localTimes(root) {
  for (const time of root.querySelectorAll("time[data-ms]")) {
    const at = new Date(Number(time.dataset.ms));
    time.title = at.toISOString();
    time.textContent = at.toLocaleTimeString([], { hour12: false });
  }
}

function follow(path) {
  const source = new EventSource(path);
  source.addEventListener("open", () => { live.textContent = "● live"; live.className = "live"; });
  source.addEventListener("sections", (event) => {
    for (const [id, html] of Object.entries(JSON.parse(event.data))) put(id, html);
  });
  source.addEventListener("over", (event) => { source.close(); live.textContent = event.data; live.className = "live lost"; });
  source.addEventListener("error", () => { live.textContent = "✖ connection lost, trying again"; live.className = "live lost"; });
}

function asks() {
  const dialog = document.getElementById("ask");
  if (!dialog) return;
  const part = (name) => document.getElementById(`ask-${name}`);
  const reason = part("reason"), yes = part("yes"), problem = part("problem"), name = part("name");
  let verb = "", isNeeded = false;
  if (name) name.value = localStorage.getItem("serinus-name") ?? "";
  const ready = () => { yes.disabled = isNeeded && !reason.value.trim(); };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-verb]");
    if (!button) return;
    verb = button.dataset.verb;
    isNeeded = Boolean(button.dataset.needs);
    part("title").textContent = `${button.textContent}?`;
    part("words").textContent = button.dataset.confirm;
    part("needed").textContent = isNeeded ? "needed" : "for the record";
    yes.textContent = button.textContent;
    reason.value = "";
    problem.hidden = true;
    ready();
    dialog.showModal();
    reason.focus();
  });
  reason.addEventListener("input", ready);
  part("no").addEventListener("click", () => dialog.close());
  yes.addEventListener("click", async () => {
    yes.disabled = true;
    if (name) localStorage.setItem("serinus-name", name.value);
    try {
      const answer = await fetch(`${location.pathname}/${verb}`, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-Serinus-Csrf": document.querySelector("meta[name=csrf]").content },
        body: JSON.stringify({ reason: reason.value, name: name ? name.value : "" }),
      });
      if (answer.ok) { dialog.close(); return; }
      problem.textContent = `✖ ${await answer.text()}`;
    } catch {
      problem.textContent = "✖ no answer: the control plane cannot be reached; next: try again";
    }
    problem.hidden = false;
    ready();
  });
}

localTimes(document);
asks();
if (document.body.dataset.feed) follow(document.body.dataset.feed);
