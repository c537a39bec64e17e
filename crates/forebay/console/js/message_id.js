// MessageIds: `<access point>:<topic>:<partition>:<offset>:<received>:<sent>`.

const FORM = /^(datahub-[a-z0-9]{8}):([A-Za-z0-9._-]{1,249}):(\d{1,10}):(\d{1,19}):(\d{1,16}):(\d{1,16})$/;

/** The parts of a MessageId; null if the text is none. */
export function parse(text) {
  const found = FORM.exec(text.trim().replace(/^["']|["'],?$/g, ""));
  if (!found) return null;
  const [id, datahubId, topic, partition, offset, received, sent] = found;
  return {
    id,
    datahubId,
    topic,
    partition: Number(partition),
    offset: Number(offset),
    receivedMs: Number(received),
    sentMs: Number(sent),
  };
}
