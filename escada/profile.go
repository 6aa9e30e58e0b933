package escada

import (
	"slices"

	"github.com/ictmedia/schoolmail"
)

// Column names a column of the export by what it means.
type Column string

// The columns of an export, in the order in which Write writes them.
const (
	ColumnID         Column = "id"
	ColumnRole       Column = "role"
	ColumnFamilyName Column = "family_name"
	ColumnGivenName  Column = "given_name"
	ColumnSchool     Column = "school"
	ColumnLevel      Column = "level"
	ColumnClass      Column = "class"
	ColumnFrom       Column = "from"
	ColumnUntil      Column = "until"
	ColumnNoticeMail Column = "notice_mail"
	ColumnPhone      Column = "phone"
	ColumnLanguage   Column = "language"
	// Identity material: kept as keyed hashes only, see [Options.IdentityKey],
	// and never written. Both may be missing.
	ColumnNumber    Column = "number"     // AHV number, thirteen digits
	ColumnBirthDate Column = "birth_date" // date of birth
)

// Columns returns all columns; Write writes them in this order, those of
// identity material excepted.
func Columns() []Column { return slices.Clone(allColumns[:]) }

var allColumns = [...]Column{
	ColumnID, ColumnRole, ColumnFamilyName, ColumnGivenName, ColumnSchool, ColumnLevel,
	ColumnClass, ColumnFrom, ColumnUntil, ColumnNoticeMail, ColumnPhone, ColumnLanguage,
	ColumnNumber, ColumnBirthDate,
}

// written are the columns that Write writes.
var written = allColumns[:numNumber]

// mandatory columns cannot be made optional.
var mandatory = []Column{ColumnID, ColumnRole, ColumnFamilyName, ColumnGivenName, ColumnSchool}

// Encoding says how the bytes of a file are to be read.
type Encoding string

const (
	// EncodingAuto reads UTF-16 where a mark or zero bytes show it, else UTF-8
	// if all bytes are valid UTF-8, else Windows-1252. A file whose names then
	// have letters that no name has is refused, with the encodings that would
	// make sense of them.
	EncodingAuto Encoding = "auto"
	// EncodingUTF8 reads UTF-8, with or without a byte order mark, and refuses
	// a file with other bytes.
	EncodingUTF8 Encoding = "utf-8"
	// EncodingUTF16 reads UTF-16 in either order, with or without a mark.
	// Spreadsheets call it "Unicode text".
	EncodingUTF16 Encoding = "utf-16"
	// EncodingWindows1252 reads Windows-1252, West European.
	EncodingWindows1252 Encoding = "windows-1252"
	EncodingISO8859_1   Encoding = "iso-8859-1"  // West European, Latin-1
	EncodingISO8859_2   Encoding = "iso-8859-2"  // Central European, Latin-2
	EncodingISO8859_15  Encoding = "iso-8859-15" // West European with Š, Ž and €, Latin-9
	EncodingMacRoman    Encoding = "macintosh"   // West European, old Macintosh programs
	EncodingCP850       Encoding = "cp850"       // West European, DOS
)

// Encodings returns all encodings, the automatic one first.
func Encodings() []Encoding {
	return []Encoding{
		EncodingAuto, EncodingUTF8, EncodingUTF16, EncodingWindows1252, EncodingISO8859_1, EncodingISO8859_2,
		EncodingISO8859_15, EncodingMacRoman, EncodingCP850,
	}
}

// Quoting says how delimiters and quotes are written within a field.
type Quoting string

const (
	QuotingRFC4180   Quoting = "rfc4180"   // the field in quotes, quotes in it doubled; the default
	QuotingBackslash Quoting = "backslash" // a backslash before the quote or delimiter
	QuotingNone      Quoting = "none"      // quotes are ordinary text
)

// Profile describes an export. It is plain data, in Go or in TOML (see
// [ParseProfile] and [Starter]); the zero value is the default layout that the
// package documentation shows. Every empty field means the default named with it.
type Profile struct {
	// Name and Follows say what the profile is for: the public document, and its
	// version, that describes the format.
	Name    string `toml:"name,omitempty"`
	Follows string `toml:"follows,omitempty"`
	// Source is the name of the source system in record keys. Default "escada".
	Source string `toml:"source,omitempty"`
	// Format is FormatCSV, the default, or FormatXML.
	Format Format `toml:"format,omitempty"`
	// Delimiter separates the fields. Default ';'.
	Delimiter rune `toml:"-"`
	// Encoding of all files. Default EncodingAuto. Write writes UTF-8 for Auto.
	// XML files name their encoding themselves.
	Encoding Encoding `toml:"encoding,omitempty"`
	// Quoting of all files. Default QuotingRFC4180.
	Quoting Quoting `toml:"quoting,omitempty"`
	// BOM makes Write begin with a UTF-8 byte order mark. Read accepts both.
	BOM bool `toml:"bom,omitempty"`
	// Columns gives the titles of a column, replacing the default ones of that
	// column. Titles are compared without regard to case, spaces and
	// punctuation. Write uses the first. Exports of several sorts of files have
	// Layout instead.
	Columns map[Column][]string `toml:"columns,omitempty"`
	// Optional lists columns that may be missing from the header. By default
	// every column must be there, empty or not: a column that got lost would
	// otherwise empty a field of all people at once. Id, role, names and
	// school cannot be optional; identity material always is.
	Optional []Column `toml:"optional,omitempty"`
	// DateFormat is made of dd, mm, yyyy and separators. Default "dd.mm.yyyy".
	// Leading zeros of day and month may be missing when a separator stands
	// between the parts. DateFormats are others that are read, too. A time
	// after the date ("T00:00:00Z") is ignored.
	DateFormat  string   `toml:"date_format,omitempty"`
	DateFormats []string `toml:"date_formats,omitempty"`
	// Roles gives the codes for each role, compared without regard to case.
	// Write uses the first. A nil map means the default codes.
	Roles map[schoolmail.Role][]string `toml:"roles,omitempty"`
	// Levels gives the codes for each level in the same way. Default: codes
	// for the levels "primary" and "secondary".
	Levels map[schoolmail.SchoolLevel][]string `toml:"levels,omitempty"`
	// PreferRoles are roles of which one person may have several: the first of
	// them counts. By default two roles of one id are a mistake.
	PreferRoles []schoolmail.Role `toml:"prefer_roles,omitempty"`
	// Schools maps the export's codes of schools to those of the directory;
	// what is not in it stays as it is.
	Schools map[string]schoolmail.SchoolID `toml:"schools,omitempty"`
	// SchoolLevels gives the level of all pupils of a school, where the export
	// has none.
	SchoolLevels map[schoolmail.SchoolID]schoolmail.SchoolLevel `toml:"school_levels,omitempty"`
	// ClassPrefix is dropped from the names of classes. In it, "{school}" stands
	// for the school's code: with "{school}-", the class "ps-au-4b" of the school
	// ps-au is 4b, and is no class of another school in the same row.
	ClassPrefix string `toml:"class_prefix,omitempty"`
	// ClassOptional accepts pupils without a class.
	ClassOptional bool `toml:"class_optional,omitempty"`
	// RepeatedRows says that the same row is expected several times, as when
	// there is one for each lesson. By default each is told.
	RepeatedRows bool `toml:"repeated_rows,omitempty"`
	// Where keeps rows only that fulfil all conditions, such as those of pupils
	// from the third grade on. See File.Where for those of one sort of file.
	Where []Condition `toml:"where,omitempty"`
	// Files are patterns (as in path.Match, without regard to case) of the
	// names that belong to the export. Default "*.csv" and "*.txt", or "*.xml".
	Files []string `toml:"files,omitempty"`
	// DeltaFiles are patterns of files that list only changes. All other files
	// are full. An export is either all full or all delta.
	DeltaFiles []string `toml:"delta_files,omitempty"`
	// RequiredFiles are patterns that each must match at least one file, else
	// the delivery is marked incomplete.
	RequiredFiles []string `toml:"required_files,omitempty"`
	// Manifest is the name of a file of two columns that lists the files of the
	// export, as OneRoster has it: "file.users" and "bulk", "delta" or "absent".
	Manifest string `toml:"manifest,omitempty"`
	// Checksums are patterns of files with SHA-256 sums, as sha256sum writes
	// them. Default "SHA256SUMS" and "*.sha256". Files in them must be there and
	// be as they say.
	Checksums []string `toml:"checksums,omitempty"`
	// Trailer is what stands in the first field of the last row, whose second
	// field then is the number of data rows of the file. Default: no trailer.
	Trailer string `toml:"trailer,omitempty"`
	// Footers are beginnings of first fields of rows that are no people, such as
	// "Total". They are skipped.
	Footers []string `toml:"footers,omitempty"`
	// OpenEnd says that the source never ends its last line with a line end, so
	// that its lack is no sign of a file that was cut off.
	OpenEnd bool `toml:"open_end,omitempty"`
	// ShortRows accepts rows that lack fields at their end, which are empty then.
	ShortRows bool `toml:"short_rows,omitempty"`
	// Ignore are patterns of titles (as in path.Match, without regard to case)
	// that are known and not needed. Others that the profile does not name are told.
	Ignore []string `toml:"ignore,omitempty"`
	// Strict rejects rows for mistakes in optional fields too, and refuses
	// files with unknown columns.
	Strict bool `toml:"strict,omitempty"`
	// Layout lists the sorts of files of an export that has several, or whose
	// fields have to be put together. Nil: one sort of file, with Columns.
	Layout []File `toml:"file,omitempty"`
}

// Format is how files are built.
type Format string

const (
	FormatCSV Format = "csv" // rows of fields between delimiters
	FormatXML Format = "xml" // an element for each row, its texts by path
)

// Default titles: the first is written, all are read. Titles are folded (see
// foldTitle), so "E-Mail privat" and "EMailPrivat" are the same.
var defaultTitles = map[Column][]string{
	ColumnID: {"PersonId", "Personen-ID", "PersonenNr", "PersonNr", "Personennummer", "ID", "ID personne",
		"Identifiant", "No personne"},
	ColumnRole:       {"Rolle", "Funktion", "Personenart", "Rôle", "Fonction"},
	ColumnFamilyName: {"Name", "Nachname", "Familienname", "Nom", "Nom de famille"},
	ColumnGivenName:  {"Vorname", "Rufname", "Prénom"},
	ColumnSchool:     {"Schule", "Schulkürzel", "Schulcode", "École", "Établissement", "Code école"},
	ColumnLevel:      {"Stufe", "Schulstufe", "Niveau", "Degré", "Cycle"},
	ColumnClass:      {"Klasse", "Klassenbezeichnung", "Classe"},
	ColumnFrom:       {"Von", "Gültig von", "Eintritt", "Du", "Dès", "Début", "Valable du"},
	ColumnUntil:      {"Bis", "Gültig bis", "Austritt", "Au", "Jusqu'au", "Fin", "Valable au"},
	ColumnNoticeMail: {"EMailPrivat", "E-Mail", "Mail privat", "Courriel", "Courriel privé", "E-mail privé"},
	ColumnPhone:      {"Telefon", "Telefon Geschäft", "Tel", "Téléphone", "Téléphone professionnel"},
	ColumnNumber:     {"AHV-Nummer", "AHV-Nr", "AHVN13", "Sozialversicherungsnummer", "No AVS", "NAVS13"},
	ColumnBirthDate:  {"Geburtsdatum", "Geb.-Datum", "Date de naissance", "Né le"},
	ColumnLanguage:   {"Sprache", "Korrespondenzsprache", "Langue"},
}

var defaultRoles = map[schoolmail.Role][]string{
	schoolmail.RolePupil:   {"S", "Schüler", "Schülerin", "SuS", "Lernende", "É", "Élève", "Pupil"},
	schoolmail.RoleTeacher: {"L", "Lehrer", "Lehrerin", "Lehrperson", "LP", "Enseignant", "Enseignante", "Teacher"},
	schoolmail.RoleStaff:   {"M", "Mitarbeiter", "Mitarbeiterin", "Personal", "Collaborateur", "Collaboratrice", "Staff"},
}

var defaultLevels = map[schoolmail.SchoolLevel][]string{
	"primary":   {"P", "PS", "Primar", "Primarstufe", "Primaire", "Primary"},
	"secondary": {"S", "Sek", "Sek I", "Sekundar", "Sekundarstufe", "Secondaire", "Secondary"},
}

var languageCodes = map[string]string{
	"d": "de", "de": "de", "deutsch": "de", "allemand": "de",
	"f": "fr", "fr": "fr", "französisch": "fr", "français": "fr",
	"i": "it", "it": "it", "italienisch": "it", "italien": "it", "italiano": "it",
	"e": "en", "en": "en", "englisch": "en", "anglais": "en", "english": "en",
}

// Validate reports all mistakes of the profile at once, as Errors of kind
// ErrProfile. The Read functions and Write call it themselves.
// layout is a profile made ready for use.
// compile fills in the defaults and checks everything. p may be nil.
// compileText is about how files are written.
// compileTitles is about columns. A profile's own title wins over another
// column's default one.
// compileValues is about what stands in the fields.
// compileFiles is about which files belong to the export, and their ends.
// matchAny reports whether the file's name matches one of the patterns.
