// Package escada reads the export of the school administration (ESCADA2) into
// a [schoolmail.Delivery], and says of every row it could not use where it is
// and what was expected there.
//
// # The format
//
// The layout in which ESCADA2 exports is agreed with each site and not
// published, so nothing here is built in: a [Profile] describes delimiter,
// encoding, titles, date format and codes, and for exports of several sorts of
// files which refer to which ([File]). Profiles for public formats come along, see
// [Starters]; [Describe] makes one of files of unknown layout. The zero Profile is
// a sensible layout to agree on:
//
//	PersonId;Rolle;Name;Vorname;Schule;Stufe;Klasse;Von;Bis;EMailPrivat;Telefon;Sprache
//	100017;S;Müller;Léa;ps-birkenfeld;P;4b;10.08.2026;;;;de
//	100734;L;D'Angelo;Anna;ps-birkenfeld;P;4b;01.08.2024;;;+41 31 555 01 02;fr
//	100734;L;D'Angelo;Anna;sek-lindenhof;S;7a;01.08.2024;31.01.2027;;+41 31 555 01 02;fr
//
// One row says that a person is in a class of a school. Who is in several
// classes or at several schools has several rows, anywhere in the export; they
// are folded into one [schoolmail.Record]. The columns may come in any order
// and under other titles ([Profile.Columns], German and French ones are
// known); columns without a known title are ignored.
//
//   - PersonId: identifies the person for ever, in all exports. At most 64
//     ASCII characters, no spaces. Ids are compared exactly, but two ids that
//     differ only in case are refused, since directories take them for equal.
//   - Rolle: a code of [Profile.Roles], by default S (pupil), L (teacher) or
//     M (staff).
//   - Name, Vorname: at most 128 characters; the same in all rows of a person.
//   - Schule: the school's short code, ASCII letters, digits, "-" and "_".
//   - Stufe: a code of [Profile.Levels], by default P (primary) or S
//     (secondary). Only pupils must have one.
//   - Klasse: the class within the school, letters, digits, space, ".", "_"
//     and "-". Only pupils must have one, see [Profile.ClassOptional].
//   - Von, Bis: first and last day at this school in this class; empty: open.
//   - EMailPrivat, Telefon, Sprache: optional. The telephone number is taken
//     from teachers and staff only, that of a pupil is not even looked at.
//
// Files may be split in any way (one per school, one per kind of person). They
// are read as a stream, row by row: memory grows with people, not with files.
// [EncodingAuto] reads UTF-8, UTF-16 and Windows-1252, and refuses a file that
// mixes two. Windows-1252 cannot be told from other encodings of one byte a
// character by its bytes; a file whose names then have letters that no name has
// ("¦imun", "MŸller") is refused, with the encodings that make sense of them. A
// name with a question mark has lost a letter on its way and is rejected.
// Lines end in LF, CRLF or CR; a first line "sep=;" names the delimiter.
//
// An export may be a folder, a zip archive, or files. Lock files of office programs
// are skipped; files that are still being transferred wait ([ErrNotReady]). With
// what was accepted last ([Accepted]) an older export is refused, and one whose
// columns changed. Several systems that describe one district are [Parts].
//
// # Two kinds of mistakes
//
// A mistake that makes a whole file unusable (no header, missing columns, wrong
// encoding, not a text) means that there is no delivery: [ReadDir], [Read] and
// [ReadFiles] return [Errors], which lists all such mistakes of all files at
// once, and nothing else. Test for a kind of mistake with errors.Is and
// [ErrMissingColumn], [ErrEncoding] and so on.
//
// A mistake in a row costs that row only: it is in Delivery.Rejected with its
// place and what was expected. The person of a rejected row is never in
// Delivery.Records, even if other rows of theirs are fine: half of what is
// known of a person must not be taken for all of it. So a person is either
// complete in Records, or named by the key of a rejection, or hidden behind a
// rejection without a key; the planner shields the last two. Rows with too
// few or too many fields, or with broken quotes, never name a key, because
// their fields may have shifted.
//
// How much may be wrong before a school is left as it is, or the whole export
// refused, is the [Budget].
//
// Mistakes in optional fields (an address without "@") only drop the field and
// are reported as harmless, unless [Profile.Strict] is set.
//
// # When absence does not count
//
// A full export lists everybody, so who is missing has left. That conclusion
// must not be drawn from an export that was cut off. Delivery.Incomplete gives
// a reason whenever the last line has no line end or is too short, when the
// trailer or its row count ([Profile.Trailer]) is wrong, when a file of
// [Profile.RequiredFiles] is missing, or when a file has no rows. A full
// export without any row at all is an error.
//
// # Personal data
//
// No error and no rejection repeats what stood in a field; they give file,
// line, column and the form that was expected. Titles of unknown columns are
// repeated only when the line is surely a header.
//
// AHV numbers and dates of birth are read only with a key of the district
// ([Options.IdentityKey]), and only keyed hashes of them leave this package.
//
// Reading does not guess delimiters, and does not look for the header in the
// middle of a file: a profile says how an export is built.
package escada
