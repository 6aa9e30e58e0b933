// Package addressbook gives everybody the address books that the rules allow,
// in every Open-Xchange context, and nothing else.
//
// An Open-Xchange context shows its users one global address list of all
// users, or none. A school authority needs something in between: each class
// sees itself, each school its teachers, teachers see more. This package makes
// public contact folders for that and keeps them in step, every night.
//
// # From people to books
//
// [Rules] say which kinds of book there are, who is listed, who may read, what
// is shown of a person and where the folder lies. [DefaultRules] are a start;
// as a TOML file they look like this (examples/addressbooks/rules.toml has all of them):
//
//	[[schools]]
//	id = "au"
//	name = "Schule Au"
//
//	[[show]]                      # of pupils only name and address, always
//	role = "teacher"
//	fields = ["phone", "school"]
//
//	[[books]]                     # each class, for its pupils and the school's teachers
//	name = "class"
//	each = "class"
//	roles = ["pupil"]
//	folder = ["{school}", "Klasse {class}"]
//	list = "Klasse {class} (alle)"     # one line that mails all
//	  [[books.readers]]
//	  roles = ["pupil"]
//	  of = "class"
//	  groups = ["{school_id}-{class}"]
//	  [[books.readers]]
//	  roles = ["teacher"]
//	  of = "school"
//	  groups = ["lehrer-{school_id}"]
//
// [Build] turns rules and accounts into the books of each context. A book
// exists only in contexts where somebody may read it, so a class whose pupils
// and teachers live in two contexts has a book in both. With the default rules,
// teachers and staff in context 1 and pupils in context 2, that is:
//
//	book                        listed           context 1, read by        context 2, read by
//	Lehrpersonen aller Schulen  teachers         teachers, staff           -
//	Schule Au / Lehrpersonen    its teachers     its teachers, its staff   its pupils
//	Schule Au / Kollegium       teachers, staff  its teachers, its staff   -
//	Schule Au / Ganze Schule    everybody        its teachers, its staff   -
//	Schule Au / Klasse 3b       pupils of 3b     its teachers              pupils of 3b
//
// [WriteHTML] draws this table for a site; [WriteCSV] and [WriteVCards] write
// single books; [ProviderFiles] turns the same rules into the configuration of
// Open-Xchange's LDAP contacts provider, for sites that rather show the
// directory itself than copies.
//
// # From books to folders
//
// [Diff] compares the books with what a context has; [Sync] carries out the
// difference, in all contexts at once. Neither keeps any state of its own:
//
//   - An entry of ours has a key in a custom field, made of the rules' owner
//     name and a hash of the person's record key. Two people called Anna
//     Muster are two keys; somebody who marries keeps theirs.
//   - A folder is ours if the service account made it and our keys are in it
//     (or nothing). Its head entry, the distribution list or a card with the folder's
//     title, tells which book it is, whatever its title.
//   - Everything else is foreign and never touched: entries without a key or
//     made by somebody else (such as copies of ours), folders that others made,
//     folders that stand in the way, if only in capitals.
//
// A book whose class or school is gone is hidden from everybody at once; its
// head entry gets the date, and after [Rules.GraceDays] it is removed. If the
// class comes back meanwhile, so does the book. If more books or people than
// [Rules.MaxGonePercent] would vanish at once, the people were hardly read
// completely: nothing is taken away then ([Plan].Held says so), and nothing is done
// at all if there is nobody ([ErrNobody]). Before a folder is removed it is read once more.
//
// A class that moves up takes its folder along: if at least half of the people
// in a folder are those of a book with another name, the folder gets that name,
// also when two classes swap theirs. So the start of a school year changes
// titles and few entries, and what people keep of a contact stays valid.
//
// # Who may read
//
// Readers get "read everything, change nothing". A group of the context that
// the rules name is used if it exists and every one of its members is a
// reader; otherwise, and for readers in no group, single users are entered. The
// service account is the owner. The permissions of a folder are set as a
// whole, so what somebody added by hand is gone after the next run.
//
// # A nightly run
//
// [NewStore] makes a [Store] of a session of package appsuite; one client
// serves all contexts and keeps Open-Xchange's rate limit for all of them
// together. Reading goes by a hundred folders per request, writing by a hundred
// entries; only large new books are imported as CSV, and only while they are empty. Each run ends by
// reading what it wrote. See examples/addressbooks, which also measures a
// district of 32,000 people.
//
// # Limits
//
// Books are copies: what changes in the directory shows after the next run.
// What Open-Xchange itself shows of a context's users (names and addresses by
// its user list, also with the global address list closed) no address book
// can hide; package galprobe measures that.
//
// Facts about Open-Xchange are from the OX App Suite HTTP API documentation
// and observation of version 8.19.
package addressbook
