// SPDX-License-Identifier: Apache-2.0
// One picture of a failed trace, the call that failed first beside it.
//
// usage: picture.mjs MODULES URL TRACE OUT.png
import { createRequire } from 'node:module';

const [modules, url, trace, out] = process.argv.slice(2);
const { chromium } = createRequire(`${modules}/`)('playwright-core');
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
const page = await (await browser.newContext({ viewport: { width: 1200, height: 620 }, colorScheme: 'light' })).newPage();
async function until(is) {
  for (let i = 0; i < 1500; i++) {
    if (await page.evaluate(is)) return;
    await new Promise((done) => { setTimeout(done, 20); });
  }
  throw new Error(`never: ${is}`);
}
await page.goto(url);
await until(() => document.documentElement.dataset.ready);
await page.evaluate((id) => { location.hash = `#/trace/${id}/timeline`; }, trace);
await page.locator('.why a').first().click();
await page.locator('.panel .badbox').first().waitFor();
await page.getByRole('button', { name: 'Show the whole trace' }).click();
await until(() => window.handspanTimeline && window.handspanTimeline.critical && !window.handspanTimeline.waiting);
await page.evaluate(() => new Promise((done) => { requestAnimationFrame(() => requestAnimationFrame(done)); }));
await page.screenshot({ path: out });
await browser.close();
