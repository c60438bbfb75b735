// Receives every event of Duecycle and keeps each once, in a file, in place of your database.
//
//   npm install amqplib
//   AMQP_URL=amqp://consumer:PASSWORD@127.0.0.1:5672/duecycle node consumer.js events.jsonl
"use strict";
const fs = require("node:fs");
const amqp = require("amqplib");

const QUEUE = "duecycle.events.v1";
const file = process.argv[2] ?? "events.jsonl";
const kept = new Set(); // the id of each event that is kept; with a database: a unique column

function keep(event) {
  // With a database: the event and its id in one transaction.
  fs.appendFileSync(file, `${JSON.stringify(event)}\n`);
  kept.add(event.id);
}

// Runs until the connection ends. An event is acknowledged once it is kept: whatever happens before that, it comes again.
async function receive() {
  const connection = await amqp.connect(process.env.AMQP_URL);
  const ended = new Promise((resolve) => connection.on("close", resolve));
  connection.on("error", (error) => console.error(error.message));
  const channel = await connection.createChannel();
  channel.on("error", (error) => console.error(error.message));
  await channel.prefetch(100);
  await channel.consume(QUEUE, (message) => {
    if (message === null) return void connection.close(); // the broker ended the consumption: start again
    const event = JSON.parse(message.content.toString());
    if (!kept.has(event.id)) keep(event); // a repeat, or a replay of what is kept, has an id that is kept
    channel.ack(message);
  });
  console.error("receiving");
  await ended;
}

async function main() {
  if (fs.existsSync(file)) {
    fs.readFileSync(file, "utf8").split("\n").filter(Boolean).forEach((line) => kept.add(JSON.parse(line).id));
  }
  for (;;) {
    await receive().catch((error) => console.error(error.message));
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}

main();
