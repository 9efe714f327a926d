import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { EqualityFilter, FilterParser } from 'ldapts'
import {
  fillFilter,
  filterForAnyUser,
  isGroupFilter,
  isLdapFilter,
  isUserFilter,
} from '../../../registry/domain/ldap-filter.ts'

const filters = [
  '(uid=alice)',
  '(uid=*)',
  '(cn=a*b*c)',
  '(cn=Gr\\28n\\29)',
  '(o=Grün & Söhne)',
  '(age>=3)',
  '(cn~=alice)',
  '(&(objectClass=person)(|(uid=a)(mail=a))(!(locked=TRUE)))',
  '(memberOf:1.2.840.113556.1.4.1941:=cn=all,o=us)',
  '(cn:dn:caseExactMatch:=a)',
  '(cn:=a)',
]
const none = [
  '',
  '\0',
  'uid=alice',
  '(uid)',
  '(uid=alice',
  '(uid=alice))',
  '(uid=a)(uid=b)',
  '(&)',
  '(!(a=b)(c=d))',
  '(uid=a(b)',
  '(uid=\\zz)',
  '(cn=\\c3\\bc)',
  '( uid=a)',
]

test('a filter is what the client takes for one', () => {
  for (const filter of filters) {
    assert.ok(isLdapFilter(filter), filter)
    FilterParser.parseString(filter)
  }
  for (const text of none) assert.ok(!isLdapFilter(text), text)
})

test('a filter for a user has the name where another value can stand', () => {
  for (const filter of ['(uid={name})', '(|(uid={name})(mail={name}@us.test))', '(&(a=b)(!(uid={name})))']) {
    assert.ok(isUserFilter(filter), filter)
    assert.ok(isLdapFilter(filterForAnyUser(filter)), filter)
  }
  for (const text of [
    '(uid=*)',
    '(uid={name}*)',
    '(uid={name}{name})',
    '(uid>={name})',
    '(uid:x:={name})',
    '({name}=a)',
  ])
    assert.ok(!isUserFilter(text), text)
})

test('a filter for groups has the entry of a user, or the name', () => {
  for (const filter of ['(member={dn})', '(memberUid={name})', '(member:1.2.840.113556.1.4.1941:={dn})'])
    assert.ok(isGroupFilter(filter), filter)
  assert.ok(!isGroupFilter('(cn=*)'))
})

test('whatever is put into a filter is a value there, and means itself', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'*()\\\0=&|!{}$a'), maxLength: 8 })),
      (value) => {
        const filter = FilterParser.parseString(fillFilter('(uid={name})', { name: value }))
        assert.ok(filter instanceof EqualityFilter)
        assert.deepEqual([filter.attribute, filter.value], ['uid', value])
      },
    ),
  )
  assert.equal(fillFilter('(|(a={name})(b={dn}))', { name: '{dn}', dn: '$&' }), '(|(a={dn})(b=$&))')
  assert.equal(fillFilter('(a={constructor})', {}), '(a={constructor})')
})
