// Pictures from outside: dropped, pasted, chosen, or taken with the camera.

import { button, h, icon } from "../core/dom.js";
import { words } from "../strings.js";
import { openDialog } from "./dialogs.js";

const shot = () => `camera-${new Date().toISOString().slice(0, 19).replace(/[:T]/g, "-")}.jpg`;

/** Gives the files that are dropped on the window or pasted into it while `wanted()`. */
export function listen(wanted, take) {
  const cover = h("div", { class: "dropping", hidden: true }, icon("picture"), words.dropHere);
  document.body.append(cover);
  let depth = 0;
  const brings = (event) => wanted() && [...(event.dataTransfer?.types ?? [])].includes("Files");
  window.addEventListener("dragenter", (event) => {
    if (!brings(event)) return;
    depth += 1;
    cover.hidden = false;
  });
  window.addEventListener("dragleave", (event) => {
    if (!brings(event)) return;
    depth = Math.max(0, depth - 1);
    cover.hidden = depth === 0;
  });
  window.addEventListener("dragover", (event) => event.preventDefault());
  window.addEventListener("drop", (event) => {
    // A file that is dropped beside is not to take the place of the page.
    event.preventDefault();
    depth = 0;
    cover.hidden = true;
    const files = [...(event.dataTransfer?.files ?? [])];
    if (wanted() && files.length) take(files);
  });
  window.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])].filter((file) => file.type.startsWith("image/"));
    if (!wanted() || !files.length) return;
    event.preventDefault();
    take(files);
  });
}

/** A button that opens the chooser of files. */
export function chooser(name, take, { multiple = false, ...more } = {}) {
  const input = h("input", { type: "file", accept: "image/*", multiple, hidden: true });
  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = "";
    if (files.length) take(files);
  });
  return h("span", { class: "chooser-of-files" }, button(name, { onclick: () => input.click(), ...more }), input);
}

/** A button that takes a picture: with the camera here, or with that of the telephone's own program. */
export function cameraButton(take, more = {}) {
  const input = h("input", {
    type: "file", accept: "image/*", capture: "environment", hidden: true,
  });
  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = "";
    if (files.length) take(files);
  });
  const open = () => (navigator.mediaDevices?.getUserMedia ? film(take, () => input.click()) : input.click());
  return h("span", { class: "chooser-of-files" }, button(words.search.camera, { sign: "camera", square: true, onclick: open, ...more }), input);
}

async function film(take, otherwise) {
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch (error) {
    // Without a camera of its own the device may still have a program that gives a picture.
    if (error.name === "NotFoundError") otherwise();
    else openDialog(words.search.cameraTitle, h("p", {}, words.search.cameraDenied, error.message));
    return;
  }
  const video = h("video", { autoplay: true, playsinline: true, srcObject: stream, class: "film" });
  video.muted = true;
  const press = button(words.search.cameraShot, { kind: "primary", sign: "camera", onclick: taken });
  const opened = openDialog(words.search.cameraTitle, video, {
    foot: [press],
    onclose: () => stream.getTracks().forEach((track) => track.stop()),
  });
  press.focus();
  function taken() {
    const canvas = h("canvas", { width: video.videoWidth, height: video.videoHeight });
    canvas.getContext("2d").drawImage(video, 0, 0);
    canvas.toBlob((blob) => {
      opened.close();
      if (blob) take([new File([blob], shot(), { type: "image/jpeg" })]);
    }, "image/jpeg", 0.92);
  }
}

/** A small picture of a file as a data address, or null where the browser cannot show it. */
export async function preview(file, side = 96) {
  try {
    const bitmap = await createImageBitmap(file);
    const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
    const canvas = h("canvas", { width: Math.max(1, Math.round(bitmap.width * scale)), height: Math.max(1, Math.round(bitmap.height * scale)) });
    canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    bitmap.close();
    return canvas.toDataURL("image/jpeg", 0.8);
  } catch {
    return null;
  }
}
