package migrate

import (
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
		"Trash", "Deleted Items", "Deleted Messages", "Deleted", "Bin",
		"Corbeille", "Éléments supprimés", "Messages supprimés",
		"Cestino", "Posta eliminata", "Elementi eliminati",
	},
	Junk: {
		"Spam", "Spamverdacht", "Junk-E-Mail", "Unerwünscht", "Werbung",
		"Junk", "Junk E-mail", "Junk Email", "Junk Mail", "Bulk Mail",
		"Courrier indésirable", "Indésirables", "Pourriel", "Posta indesiderata",
	},
	Archive: {
		"Archiv", "Archive", "Archives", "Archivio",
	},
}

// roleByName is roleNames turned round, by folded name.
var roleByName = func() map[string]Role {
	m := map[string]Role{}
	for role, names := range roleNames {
		for _, n := range names {
			m[fold(n)] = role
		}
	}
	return m
}()

// RoleOfName returns the role that a folder name (not a path) is known for in
// one of the four languages. Case, surrounding blanks and the composition of
// accents (Apple writes "E" and an accent apart) make no difference.
func RoleOfName(name string) Role { return roleByName[fold(name)] }

func fold(s string) string {
	return cases.Fold().String(norm.NFC.String(strings.TrimSpace(s)))
}

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
