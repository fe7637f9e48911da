// Read a stream of chunks with AI SDK's reader, and return the chunks with the message that they
// make up. Without `readUIMessageStream`, the chunks need not make up a message.

export async function read(stream, readUIMessageStream) {
  const chunks = [];
  const noted = stream.pipeThrough(
    new TransformStream({
      transform(chunk, controller) {
        chunks.push(chunk);
        controller.enqueue(chunk);
      },
    }),
  );
  const errors = [];
  const states = readUIMessageStream
    ? readUIMessageStream({ stream: noted, onError: (error) => errors.push(String(error)) })
    : noted;
  let message;
  for await (const state of states) {
    message = state;
  }
  return { chunks, message, errors };
}
