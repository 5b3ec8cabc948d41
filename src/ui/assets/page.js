// What a page does beside showing: it takes updates, shows times in the visitor's zone, copies, and streams a trial.
// Everything else works without this file.

/** Shows the times below an element in the visitor's own zone. The title keeps the exact time.
 * @param {ParentNode} root */
function localTimes(root) {
  const today = new Date().toDateString();
  for (const element of root.querySelectorAll("time[datetime]")) {
    const time = /** @type {HTMLTimeElement} */ (element);
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    /** @type {Intl.DateTimeFormatOptions} */
    const form = { hour: "2-digit", minute: "2-digit" };
    if (time.dataset.seconds !== undefined) form.second = "2-digit";
    if (at.toDateString() !== today) Object.assign(form, { month: "short", day: "numeric" });
    time.textContent = new Intl.DateTimeFormat(document.documentElement.lang, form).format(at);
    time.title = `${at.toLocaleString(document.documentElement.lang)} (${time.dateTime})`;
  }
}

/** Takes times in the visitor's own zone, and sends them in UTC. The label beside the field says in which.
 * @param {ParentNode} root */
function takeLocalTimes(root) {
  for (const element of root.querySelectorAll("input[data-utc]")) {
    const field = /** @type {HTMLInputElement} */ (element);
    const zone = field.closest("label")?.querySelector("[data-zone]");
    if (zone) zone.textContent = Intl.DateTimeFormat().resolvedOptions().timeZone;
    field.form?.addEventListener("formdata", ({ formData }) => {
      if (field.value) formData.set(field.name, new Date(field.value).toISOString());
    });
  }
}

/** Adds a button to each text that is there to be copied.
 * @param {ParentNode} root */
function copyButtons(root) {
  for (const element of root.querySelectorAll("[data-copy]")) {
    const text = /** @type {HTMLElement} */ (element);
    if (text.nextElementSibling?.classList.contains("copy") || !navigator.clipboard) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = text.dataset.copy || "copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(text.textContent ?? "");
      button.textContent = "✓";
      setTimeout(() => (button.textContent = text.dataset.copy || "copy"), 1500);
    });
    text.after(button);
  }
}

/** Lets what came with the page or with an update do what it is there for.
 * @param {ParentNode} root */
function dress(root) {
  localTimes(root);
  takeLocalTimes(root);
  copyButtons(root);
  for (const form of root.querySelectorAll("form[data-stream]")) streamTrial(/** @type {HTMLFormElement} */ (form));
  for (const button of root.querySelectorAll("[data-pause]")) pauses(/** @type {HTMLElement} */ (button));
  // A choice takes effect at once; the button is for browsers without scripts.
  for (const form of root.querySelectorAll("form[data-auto]")) {
    form.addEventListener("change", () => /** @type {HTMLFormElement} */ (form).requestSubmit());
  }
}

/** Lets a button hold the updates. @param {HTMLElement} toggle */
function pauses(toggle) {
  const show = () => (toggle.textContent = (isPaused ? toggle.dataset.resume : toggle.dataset.pause) ?? "");
  toggle.hidden = false;
  show();
  toggle.addEventListener("click", () => {
    isPaused = !isPaused;
    show();
    follow();
  });
}

/** Replaces a piece of the page. What the visitor has opened or is about to use stays as it is.
 * @param {string} id
 * @param {string} html */
function replacePiece(id, html) {
  const old = document.getElementById(id);
  if (!old) return;
  const focused = document.activeElement;
  if (focused && focused !== old && old.contains(focused) && focused.matches("input, select, textarea")) return;
  const selection = document.getSelection();
  if (selection && !selection.isCollapsed && selection.anchorNode && old.contains(selection.anchorNode)) return;
  const template = document.createElement("template");
  template.innerHTML = html;
  const fresh = /** @type {HTMLElement | null} */ (template.content.firstElementChild);
  if (!fresh) return;
  for (const open of old.querySelectorAll("details[open][id]")) {
    fresh.querySelector(`#${CSS.escape(open.id)}`)?.setAttribute("open", "");
  }
  const at = focused instanceof HTMLElement && old.contains(focused) ? focused.getAttribute("href") : null;
  dress(fresh);
  old.replaceWith(fresh);
  const again = at && /** @type {HTMLElement | null} */ (fresh.querySelector(`a[href="${CSS.escape(at)}"]`));
  if (again) again.focus();
}

/** Lets the buttons below an element send their forms, or not.
 * @param {ParentNode} root
 * @param {boolean} isEnabled */
function enable(root, isEnabled) {
  for (const button of root.querySelectorAll("button[type=submit]")) {
    /** @type {HTMLButtonElement} */ (button).disabled = !isEnabled;
  }
}

const main = document.querySelector("main[data-live]");
/** @type {EventSource | null} */
let updates = null;
let isPaused = false;
/** Whether somebody has typed into a form, which is not sent yet. */
let isDirty = false;
/** Whether a form is on its way: what it changes must not load this page again before the next one is there. */
let isLeaving = false;

/** Shows whether updates come. @param {boolean} isLive */
function showState(isLive) {
  const state = document.getElementById("live-state");
  if (!state) return;
  state.hidden = false;
  const { live, paused, off } = state.dataset;
  state.textContent = (isLive ? live : isPaused ? paused : off) ?? "";
  state.classList.toggle("off", !isLive);
}

/** Takes updates while the page is to be seen. */
function follow() {
  updates?.close();
  updates = null;
  if (!(main instanceof HTMLElement)) return;
  if (isLeaving) return;
  if (document.hidden || isPaused) return showState(false);
  const query = new URLSearchParams({ page: main.dataset.page ?? "/ui/", seen: main.dataset.seen ?? "" });
  const source = new EventSource(`/ui/events?${query}`);
  updates = source;
  source.addEventListener("open", () => showState(true));
  source.addEventListener("error", () => showState(false));
  source.addEventListener("pieces", (event) => {
    main.dataset.seen = "";
    for (const [id, html] of Object.entries(JSON.parse(event.data))) replacePiece(id, String(html));
  });
  source.addEventListener("reload", () => refresh(main));
  source.addEventListener("over", () => {
    source.close();
    reload(main);
  });
}

/** Loads the page again, where nothing is lost by that.
 * @param {HTMLElement} main */
function reload(main) {
  if (isLeaving) return;
  if (isDirty || main.querySelector(".notice .secret, form :focus")) return offer(main);
  location.reload();
}

/** Says that there is something new, and leaves the rest to the visitor.
 * @param {HTMLElement} main */
function offer(main) {
  if (isLeaving || main.querySelector(".news")) return;
  const line = document.createElement("p");
  line.className = "news";
  line.setAttribute("role", "status");
  const link = document.createElement("a");
  link.href = main.dataset.page ?? location.href;
  link.textContent = main.dataset.news ?? "";
  line.append(link);
  main.prepend(line);
}

/** Takes the whole content anew: parts came or went. What is said once stays, and so does what somebody types.
 * @param {HTMLElement} main */
async function refresh(main) {
  const isInUse = () => isDirty || isLeaving || main.querySelector("form :focus");
  if (isInUse()) return offer(main);
  const answer = await fetch(main.dataset.page ?? location.href, { headers: { accept: "text/html", "x-update": "1" } });
  if (!answer.ok || answer.redirected) return reload(main);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
  if (!fresh) return;
  if (isInUse()) return offer(main);
  main.replaceChildren(...main.querySelectorAll(":scope > .notice"), ...fresh.childNodes);
  dress(main);
}

/** A trial whose answer appears as it comes.
 * @param {HTMLFormElement} form */
function streamTrial(form) {
  const output = document.getElementById("trial-answer");
  if (!output) return;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = /** @type {HTMLButtonElement | null} */ (form.querySelector("button[type=submit]"));
    if (button) button.disabled = true;
    output.replaceChildren();
    output.setAttribute("aria-busy", "true");
    try {
      const fields = new URLSearchParams();
      for (const [name, value] of new FormData(form)) fields.append(name, String(value));
      const answer = await fetch(form.dataset.stream ?? form.action, { method: "POST", body: fields });
      if (answer.status === 401) return location.reload();
      if (!answer.ok) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        output.append(page.querySelector("main p")?.textContent || String(answer.status));
        return;
      }
      const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
      if (!reader) return;
      let rest = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        rest += value;
        const lines = rest.split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines.filter(Boolean)) {
          const piece = JSON.parse(line);
          if (piece.text) output.append(piece.text);
          if (piece.html) {
            const template = document.createElement("template");
            template.innerHTML = piece.html;
            dress(template.content);
            output.append(template.content);
          }
        }
      }
    } catch (error) {
      output.append(String(error));
    } finally {
      output.removeAttribute("aria-busy");
      if (button) button.disabled = false;
    }
  });
}

dress(document);
main?.addEventListener("input", () => (isDirty = true));
// A second press would do a thing twice: a new key would hide the one before. Coming back to the page, buttons work again.
document.addEventListener("submit", (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target);
  if (event.defaultPrevented || form.method !== "post") return;
  if (form.dataset.sent) return event.preventDefault();
  form.dataset.sent = "1";
  isDirty = false;
  isLeaving = true;
  follow();
  // The button's own name and value are read after this event.
  setTimeout(() => enable(form, false));
});
window.addEventListener("pageshow", (event) => {
  for (const form of document.forms) delete form.dataset.sent;
  enable(document, true);
  if (!event.persisted) return;
  isLeaving = false;
  follow();
});
document.addEventListener("visibilitychange", follow);
window.addEventListener("pagehide", () => updates?.close());
follow();
