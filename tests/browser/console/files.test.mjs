// Pictures and files go up by button, drop and paste, and come down byte for byte; what is not a
// picture by its bytes is never shown as one.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";

import { eventually } from "../kit/eventually.mjs";
import { Hub } from "../kit/hub.mjs";
import { call, owners } from "../kit/people.mjs";
import { Stage } from "./desk.mjs";
import { picture } from "./drawings.mjs";

/** Small, so that what is too large need not be large. */
const LARGEST = 8_000_000;
const stage = new Stage({ hub: () => Hub.start({ "limits.file_bytes_max": LARGEST }) });
/** A hub that refuses early may close while the browser still sends. */
const CUT_OFF = /net::ERR_CONNECTION_(RESET|ABORTED)|net::ERR_EMPTY/;
const sum = (/** @type {Uint8Array} */ bytes) => createHash("sha256").update(bytes).digest("hex");

/** Two who look at a chat of their own. @param {string} name */
async function pair(name) {
  const [ada, ben] = stage.people;
  await call(stage.hub.url, "POST", "/v1.0/service_agents/talk_chats", { type: "group", name, participants: owners(ben) }, ada.token);
  const [hers, mine] = [await stage.seat(ada), await stage.seat(ben)];
  for (const desk of [hers, mine]) await desk.open(name);
  return [hers, mine];
}

/** @param {import("./desk.mjs").Desk} desk @param {Array<{ name: string, mimeType: string, buffer: Buffer }>} files */
async function attach(desk, files) {
  const choosing = desk.page.waitForEvent("filechooser");
  await desk.chat.getByRole("button", { name: "Attach files" }).click();
  await (await choosing).setFiles(files);
}

/** @param {import("./desk.mjs").Desk} desk @param {() => Promise<void>} act */
async function downloaded(desk, act) {
  const coming = desk.page.waitForEvent("download");
  await act();
  const download = await coming;
  return { name: download.suggestedFilename(), bytes: await readFile(await download.path()) };
}

/** Gives files to the page as the system does: by `drop` or `paste`. */
async function hand(desk, kind, { name, mimeType, buffer }) {
  const given = await desk.page.evaluateHandle(({ name, mimeType, text }) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))], name, { type: mimeType }));
    return transfer;
  }, { name, mimeType, text: buffer.toString("base64") });
  if (kind === "drop") {
    const pane = desk.chat;
    await pane.dispatchEvent("dragover", { dataTransfer: given });
    await desk.chat.getByText("Drop files to send them here").waitFor();
    await pane.dispatchEvent("drop", { dataTransfer: given });
    return;
  }
  await desk.composer.evaluate((field, transfer) => {
    field.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true }));
  }, given);
}

stage.scene("a file sent by the button shows how far it is, and comes down byte for byte", async () => {
  const [hers, mine] = await pair("By button");
  const file = { name: "Protocol of June (draft).bin", mimeType: "application/octet-stream", buffer: randomBytes(6_000_000) };
  // Slow enough that progress is something to see.
  const cdp = await hers.context.newCDPSession(hers.page);
  await cdp.send("Network.enable");
  await cdp.send("Network.emulateNetworkConditions", { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 6_000_000 });
  await attach(hers, [file]);
  await hers.page.getByRole("progressbar", { name: `Upload of ${file.name}` }).waitFor();
  await eventually("some of it is up, not all", async () => {
    const value = await hers.page.getByRole("progressbar").evaluate((bar) => bar.value);
    return value > 0 && value < 1;
  });
  await hers.say("Here it is");
  await hers.chat.getByText("Sends when the files are there").waitFor();
  await hers.sees("Here it is");
  const message = await mine.sees("Here it is");
  const { name, bytes } = await downloaded(mine, () => message.getByRole("button", { name: `Download ${file.name}` }).click());
  assert.equal(name, file.name);
  assert.equal(sum(bytes), sum(file.buffer));
});

stage.scene("a picture that is dropped is shown, enlarged, saved as it was, and can be taken back before", async () => {
  const [hers, mine] = await pair("By drop");
  const drawn = { name: "sunrise.png", mimeType: "image/png", buffer: picture(640, 400) };
  await hand(hers, "drop", { ...drawn, name: "wrong one.png" });
  await hers.page.getByRole("button", { name: "Remove wrong one.png" }).click();
  await hand(hers, "drop", drawn);
  await hers.page.getByRole("button", { name: "Remove sunrise.png" }).waitFor();
  assert.equal(await hers.page.getByRole("list", { name: "Files to send" }).getByRole("listitem").count(), 1);
  await hers.page.getByRole("button", { name: "Send", exact: true }).click();
  const shown = mine.chat.getByRole("img", { name: "sunrise.png" });
  await shown.waitFor();
  assert.deepEqual(await shown.evaluate((image) => [image.naturalWidth, image.naturalHeight]), [640, 400]);
  await mine.chat.getByRole("button", { name: "Show sunrise.png" }).click();
  await mine.dialog.getByText("640 × 400").waitFor();
  const { name, bytes } = await downloaded(mine, () => mine.dialog.getByRole("button", { name: "Download" }).click());
  assert.equal(name, "sunrise.png");
  assert.equal(sum(bytes), sum(drawn.buffer));
  await mine.page.keyboard.press("Escape");
  await mine.dialog.waitFor({ state: "detached" });
});

stage.scene("a picture that is pasted goes with the words beside it, also into a thread", async () => {
  const [hers, mine] = await pair("By paste");
  const drawn = { name: "image.png", mimeType: "image/png", buffer: picture(120, 90) };
  await hand(hers, "paste", drawn);
  await hers.page.getByRole("button", { name: "Remove image.png" }).waitFor();
  await hers.say("as I see it");
  const message = await mine.sees("as I see it");
  await message.getByRole("img", { name: "image.png" }).waitFor();
  await mine.press("as I see it", "Reply in thread");
  const choosing = mine.page.waitForEvent("filechooser");
  await mine.panel.getByRole("button", { name: "Attach files" }).click();
  await (await choosing).setFiles([{ name: "answer.txt", mimeType: "text/plain", buffer: Buffer.from("an answer") }]);
  await mine.panel.getByRole("button", { name: "Remove answer.txt" }).waitFor();
  await mine.reply("mine");
  await hers.press("as I see it", /1 reply/);
  await (await hers.sees("mine", hers.panel)).getByRole("button", { name: "Download answer.txt" }).waitFor();
});

stage.scene("a file that is too large is refused in words, and the rest can still be sent", async () => {
  const [hers] = await pair("Too large");
  hers.forgives(/status of 400/, CUT_OFF);
  await attach(hers, [
    { name: "huge.bin", mimeType: "application/octet-stream", buffer: Buffer.alloc(LARGEST + 1) },
    { name: "small.txt", mimeType: "text/plain", buffer: Buffer.from("small") },
  ]);
  const tray = hers.page.getByRole("list", { name: "Files to send" });
  await tray.getByRole("listitem").filter({ hasText: "huge.bin" }).getByRole("alert").waitFor();
  await hers.page.getByRole("button", { name: "Cancel huge.bin" }).click();
  await hers.page.getByRole("button", { name: "Remove small.txt" }).waitFor();
  await hers.page.getByRole("button", { name: "Send", exact: true }).click();
  await hers.chat.getByRole("button", { name: "Download small.txt" }).waitFor();
});

stage.scene("a large picture fits into a narrow window", async () => {
  const [hers] = await pair("Narrow");
  await hand(hers, "drop", { name: "wide.png", mimeType: "image/png", buffer: picture(1600, 900) });
  await hers.page.getByRole("button", { name: "Remove wide.png" }).waitFor();
  await hers.page.getByRole("button", { name: "Send", exact: true }).click();
  await hers.page.setViewportSize({ width: 390, height: 800 });
  const shown = hers.chat.getByRole("img", { name: "wide.png" });
  await shown.waitFor();
  const { x, width, height } = await eventually("it stands still", () => shown.boundingBox());
  assert.ok(x + width <= 390 - 8, `it ends inside of the window, not at ${x + width}`);
  assert.ok(Math.abs(width / height - 16 / 9) < 0.05, "it keeps its shape");
});
