// Package ucs reads and writes the accounts of a UCS@school domain over LDAP.
//
// A [Client] is what [schoolmail.Apply] uses as its Directory, and what makes
// the first half of the State that a plan is made from:
//
//	c, err := ucs.New("ldap://ucs-primary.schulen.example:7389", &ucs.Options{
//		BindDN:   "cn=admin,dc=schulen,dc=example",
//		Password: password,
//	})
//	snap, err := c.Snapshot(ctx) // Accounts, Retired, Schools
//
// Reading needs nothing but LDAP and costs some 40 requests for a district of
// 32,000. Talk to the primary or a backup: replicas of schools hold a part of
// the people only, and refuse writes with a referral ([ErrReplica]). On UCS the
// ports are 7389 (StartTLS, which is demanded unless Options.Plaintext says
// otherwise) and 7636 (ldaps); 389 and 636 belong to Samba.
//
// # What an account is made of
//
//	Account           attribute
//	Username          uid (lower case)
//	Key               ucsschoolSourceUID, ucsschoolRecordUID
//	Role              object class ucsschoolStudent, ucsschoolTeacher,
//	                  ucsschoolStaff; who is teacher and staff counts as teacher
//	                  and stays both
//	names             givenName, sn, displayName; cn and gecos follow
//	Mail, Aliases     mailPrimaryAddress (and mail), mailAlternativeAddress
//	Phone, Language   telephoneNumber (the first in order), preferredLanguage
//	Memberships       ucsschoolSchool, and the class groups that have the
//	                  account as uniqueMember, without the prefix "SCHOOL-"
//	Context           oxContextIDNum if isOxUser is OK, else 0
//	Access            oxAccess, by Options.OXProfiles, and the text
//	State and so on   one text value, see below
//
// An entry without a record key, such as an administrator's, is reported with
// a zero Key: its names are taken, nothing else about it matters. So are the
// clones that UCS@school makes for exams, of which only the user name is read.
//
// # The life-cycle text
//
// LDAP has no attribute for the state of the life cycle, the day of the
// notice, the previous place of a transferred account and so on. They must
// not live in a local file, as the next run may happen elsewhere. They are
// kept as one value of univentionFreeAttribute20 (object class
// univentionFreeAttributes; another attribute of that class can be chosen),
// which UCS sets aside for the site's own purposes:
//
//	schoolmail1;state=leaving;noticed=2026-10-01;previous=4/1717/2026-08-10;held=yes;notice=a%3Bb@example.org;access=pim
//
// state is pending, active, leaving or deactivated; noticed and deactivated
// are days; previous is context, OX user id and day; held=yes puts the account
// on hold; unlisted=yes keeps the person out of all address books; notice is the
// private address; access the OX access combination that
// the account was given; made the day on which it was made; marks the changes
// that guards still count (guard/day/role/school before, of transfers and old copies
// with /context, several with commas);
// birth and number are keyed hashes in hexadecimal. Values are percent-encoded
// where they hold a blank, a control character, ";" or "%". Fields that this
// version does not know are kept. A text that cannot be read, or that says deactivated
// while a login is open, is a [Warning] and puts the account on hold: it is
// never guessed at. An account with a record key but without a text counts as
// active, whether or not somebody has disabled it by hand; schoolmail opens
// only what it closed.
//
// The attribute ucsschoolPurgeTimestamp is not written: a cron job of
// UCS@school removes accounts by it, without our knowing. Where somebody else
// has written it [Options.Stamps] decides; reactivating an account deletes it.
//
// Names of purged accounts, and addresses that an account lost, are kept as
// entries of class ucsschoolUsername (the class of UCS@school's own name
// counters) below cn=retired-names,cn=ucsschool,cn=univention, with the day in
// the same kind of text (retired=2027-03-01).
//
// # What writing over LDAP does, and what it leaves out
//
// CreateAccount adds the complete entry that UCS Directory Manager (UDM) would
// add, with numbers from UCS's own counters, and puts it into the groups of
// its schools and classes, uniqueMember and memberUid in one request. The
// initial password is written as SHA-512 crypt, NT hash and Kerberos keys. What
// UDM does beyond that is skipped, and a site has to know it:
//
//   - The UDM locks on user names and addresses (names are checked right
//     before the add, but a UDM running in the same instant could take the
//     same one) and the importer's name counters, unless Options.BesideUDM is
//     set; block lists; the licence count. The quality of an initial password
//     is not checked; history and expiry of UDM's password policies are
//     written with it.
//   - Home and class shares, and every hook: of UDM, of UCS@school (Python)
//     and of the OX packages.
//
// Changes of the same group, and questions after single accounts, that come at
// the same time are sent together. Whoever creates many accounts should do so in
// parallel (a few dozen calls) and school by school: a newcomer then takes some
// three requests, groups and activation included
// (go test ./ucs -run RequestsForNewcomers -v).
//
// Every change of an entry is one modify that names old and new values, with
// an assertion (RFC 4528) where there is no old value. If somebody else was
// faster, nothing is written and the account is read again.
//
// Where the OX Connector is installed it acts on isOxUser and oxContextIDNum:
// it and package ox must not both provision the same contexts.
//
// # Which way to write
//
// Options.Write chooses. Over LDAP (the default) an account costs a few requests
// and milliseconds; UDM takes a fifth of a second of computing for each and works
// on a few at a time, so that a first provisioning of a district takes hours
// there. A site that depends on UDM's hooks, shares or policies for new accounts
// takes WriteAuto: UDM makes, moves and removes accounts, everything else is
// changed by LDAP. WriteUDM is for sites that want nothing written past UDM. Over
// UDM a record id, address, school or group that does not fit is still found by
// LDAP before anything is sent, as UDM does not look; and a name that UDM calls
// taken though nobody has it is reported as an error that may pass, since a lock
// is on it for up to five minutes.
//
// # Changes as they happen
//
// [Client.Watch] follows accounts and groups, by Univention's notifier within a
// second, or by polling.
//
// Facts: the schemas of UCS 5.2, UCS@school 5.0 and OX Connector 2.2, Univention's UDM
// modules users/user and groups/group, RFC 4511 to 4528.
package ucs
