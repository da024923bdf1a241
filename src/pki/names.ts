/** Subjects and issuers: made from words, and read as structures, because their text forms can be imitated. */
import { AttributeTypeAndValue, AttributeValue, Name, RelativeDistinguishedName } from '@peculiar/asn1-x509';

const OID_COMMON_NAME = '2.5.4.3';
const OID_ORGANISATION = '2.5.4.10';
const OID_ORGANISATIONAL_UNIT = '2.5.4.11';

const SHORT_NAMES: Readonly<Record<string, string>> = {
  [OID_COMMON_NAME]: 'CN',
  [OID_ORGANISATION]: 'O',
  [OID_ORGANISATIONAL_UNIT]: 'OU',
};

/** Subject as the reference writes it, in this order: CN, O, OU. */
export interface DistinguishedName {
  readonly cn: string;
  readonly o?: string;
  readonly ou?: string;
}

export function nameOf(name: DistinguishedName | Name): Name {
  if (name instanceof Name) return name;
  const parts: RelativeDistinguishedName[] = [relativeName(OID_COMMON_NAME, name.cn)];
  if (name.o !== undefined) parts.push(relativeName(OID_ORGANISATION, name.o));
  if (name.ou !== undefined) parts.push(relativeName(OID_ORGANISATIONAL_UNIT, name.ou));
  return new Name(parts);
}

function relativeName(type: string, text: string): RelativeDistinguishedName {
  return new RelativeDistinguishedName([
    new AttributeTypeAndValue({ type, value: new AttributeValue({ utf8String: text }) }),
  ]);
}

/** First common name of a subject or issuer as written, or undefined. */
export function commonNameOf(name: Name): string | undefined {
  return firstOf(name, OID_COMMON_NAME);
}

/** First organisational unit, likewise. */
export function organisationalUnitOf(name: Name): string | undefined {
  return firstOf(name, OID_ORGANISATIONAL_UNIT);
}

function firstOf(name: Name, type: string): string | undefined {
  for (const relative of name) {
    for (const attribute of relative) if (attribute.type === type) return attribute.value.toString();
  }
  return undefined;
}

/** One line for people, `CN=agency, O=fisco-bcos, OU=agency`; as it is written, so clean it before it is shown. */
export function nameText(name: Name): string {
  return name
    .flatMap((relative) => relative.map(({ type, value }) => `${SHORT_NAMES[type] ?? type}=${value.toString()}`))
    .join(', ');
}
