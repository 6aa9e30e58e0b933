package migrate

import (
	"slices"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Role is the purpose of a special folder (RFC 6154).
type Role string

// The roles that a migration merges. An ordinary folder has none.
const (
	Ordinary Role = ""
	Sent     Role = "Sent"
	Drafts   Role = "Drafts"
	Trash    Role = "Trash"
	Junk     Role = "Junk"
	Archive  Role = "Archive"
)

// Roles lists the roles in the order of reports.
func Roles() []Role { return []Role{Sent, Drafts, Trash, Junk, Archive} }

// roleNames are the names that mail programs gave their folders: webmail,
// Outlook, Outlook Express, Apple Mail, Thunderbird, Horde, Open-Xchange, in
// German, English, French and Italian. A site overrules them in [FolderRules].
var roleNames = map[Role][]string{
	Sent: {
		"Gesendet", "Gesendete", "Gesendete Objekte", "Gesendete Elemente", "Gesendete Nachrichten", "Gesendete E-Mails",
		"Sent", "Sent Items", "Sent Messages", "Sent Mail", "Sent-mail", "Sent Objects",
		"Envoyés", "Envoyé", "Éléments envoyés", "Messages envoyés", "Objets envoyés",
		"Inviata", "Inviati", "Posta inviata", "Elementi inviati", "Messaggi inviati", "Oggetti inviati",
	},
	Drafts: {
		"Entwürfe", "Entwurf", "Drafts", "Draft", "Brouillons", "Brouillon", "Bozze", "Bozza",
	},
	Trash: {
		"Papierkorb", "Gelöscht", "Gelöschte Objekte", "Gelöschte Elemente", "Gelöschte Nachrichten",
		"Trash", "Deleted Items", "Deleted Messages",
		"Corbeille", "Éléments supprimés", "Messages supprimés",
		"Cestino", "Posta eliminata", "Elementi eliminati",
	},
	Junk: {
		"Spam", "Spamverdacht", "Junk-E-Mail", "Unerwünscht",
		"Junk", "Junk E-mail", "Junk Email", "Junk Mail", "Bulk Mail",
		"Courrier indésirable", "Indésirables", "Pourriel", "Posta indesiderata",
	},
	Archive: {
		"Archiv", "Archive", "Archives", "Archivio",
	},
}

// doubtfulNames are names that some mail programs use, too, and people for
// other things: a folder of school papers called "Werbung" must not end where mail expires.
// The plan asks about them.
var doubtfulNames = map[Role][]string{
	Trash: {"Deleted", "Bin"},
	Junk:  {"Werbung"},
}

// roleByName and doubtfulByName are turned round, by folded name.
var (
	roleByName     = byFoldedName(roleNames)
	doubtfulByName = byFoldedName(doubtfulNames)
)

func byFoldedName(table map[Role][]string) map[string]Role {
	m := map[string]Role{}
	for role, names := range table {
		for _, n := range names {
			m[fold(n)] = role
		}
	}
	return m
}

// RoleOfName returns the role that a folder name (not a path) is known for in
// one of the four languages. Case, surrounding blanks and the composition of
// accents (Apple writes "E" and an accent apart) make no difference.
func RoleOfName(name string) Role { return roleByName[fold(name)] }

func fold(s string) string {
	return cases.Fold().String(norm.NFC.String(strings.TrimSpace(s)))
}

// virtualAttributes mark folders that show messages of other folders once
// more (RFC 6154, and Gmail's \Important of RFC 8457).
var virtualAttributes = []string{`\all`, `\allmail`, `\flagged`, `\starred`, `\important`}

// virtualAttribute is the attribute that makes a folder a view of others, "" for an ordinary one.
func virtualAttribute(attrs []string) string {
	for _, a := range attrs {
		if slices.Contains(virtualAttributes, strings.ToLower(a)) {
			return a
		}
	}
	return ""
}

// expires reports a role whose mail sites delete after a while.
func (r Role) expires() bool { return r == Trash || r == Junk }

// roleOfAttributes reads SPECIAL-USE attributes; XLIST called Junk "Spam".
func roleOfAttributes(attrs []string) Role {
	for _, a := range attrs {
		switch strings.ToLower(a) {
		case `\sent`:
			return Sent
		case `\drafts`:
			return Drafts
		case `\trash`:
			return Trash
		case `\junk`, `\spam`:
			return Junk
		case `\archive`:
			return Archive
		}
	}
	return Ordinary
}
