// Chromium, headless, as Debian packages it, driven by playwright-core.

import { chromium } from "playwright-core";

const FLAGS = [
  "--headless=new",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A browser with a profile of its own. Close it when done. */
export function browser() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
}

/**
 * A page that collects what it complains of in `page.complaints`.
 * @param {import("playwright-core").BrowserContext | import("playwright-core").Browser} where
 */
export async function newPage(where) {
  const page = await where.newPage();
  const complaints = [];
  page.on("console", (message) => {
    // A page without an icon asks for one; that there is none is no fault of it.
    if (message.location().url.endsWith("/favicon.ico")) return;
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  return Object.assign(page, { complaints });
}
