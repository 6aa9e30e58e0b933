package notify_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/site/notify"
)

// Every kind of notice is said to every role in every language that is shipped.
func TestShippedTexts(t *testing.T) {
	t.Parallel()
	texts := notify.DefaultTexts("")
	for lang, greeting := range map[string]string{"de": "Freundliche Grüsse", "fr": "Meilleures salutations",
		"it": "Cordiali saluti", "en": "Kind regards"} {
		for _, kind := range notify.Kinds() {
			for _, role := range []schoolmail.Role{schoolmail.RolePupil, schoolmail.RoleTeacher, schoolmail.RoleStaff, ""} {
				subject, body, err := texts.Preview(kind, role, lang, "Schulinformatik")
				if err != nil || !strings.Contains(subject, "erika.beispiel@schulen.example") ||
					!strings.Contains(body, greeting+"\nSchulinformatik") {
					t.Errorf("%s to %s in %s: %q %v\n%s", kind, role, lang, subject, err, body)
				}
				names := kind != schoolmail.NoticeCancelled && kind != notify.Answer
				if due := strings.Contains(subject+body, "29.03.2027"); due != names {
					t.Errorf("%s to %s in %s names the day: %v", kind, role, lang, due)
				}
				for _, line := range strings.Split(body, "\n") {
					if len([]rune(line)) > 120 {
						t.Errorf("%s to %s in %s: long line %q", kind, role, lang, line)
					}
				}
			}
		}
	}
}

// A pupil is told as a pupil; a language or role without a text of its own gets the
// next best.
func TestTextThatFitsBest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("leaving-staff-de.txt",
		"\ufeffAn alle Angestellten: {{.Mail}}\r\n\r\nBis {{.Due}}, {{.Given}} {{.Family}} von {{.School}}.\r\n")
	write("leaving-rm.txt", "Chascha postala {{.Mail}}\n\nFin ils {{.Due}}\n")
	texts, err := notify.LoadTexts(dir, "it")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		role           schoolmail.Role
		lang, wantText string
	}{
		{schoolmail.RolePupil, "de-CH", "Hallo Erika"},
		{schoolmail.RoleTeacher, "de", "Guten Tag Erika"},
		{schoolmail.RoleStaff, "de", "Bis 29.03.2027, Erika Beispiel von beispielschule."},
		{schoolmail.RoleStaff, "rm", "Fin ils"},
		{schoolmail.RolePupil, "FR_CH", "Tu n'es plus"},
		{schoolmail.RoleTeacher, "pt", "Buongiorno"}, // the site's language
		{schoolmail.RolePupil, "", "Ciao Erika"},
	} {
		if _, body, err := texts.Preview(schoolmail.NoticeLeaving, c.role, c.lang, ""); err != nil ||
			!strings.Contains(body, c.wantText) {
			t.Errorf("%s in %q: %v\n%s", c.role, c.lang, err, body)
		}
	}
	subject, _, _ := texts.Preview(schoolmail.NoticeLeaving, schoolmail.RoleStaff, "de", "")
	if subject != "An alle Angestellten: erika.beispiel@schulen.example" {
		t.Errorf("the mark or the line end of an editor is in the subject: %q", subject)
	}
}

// A text with a mistake is refused when it is loaded, not on the night when it is
// needed; all mistakes are told at once.
func TestTextsAreChecked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bad := map[string]string{
		"leaving-de.txt":                "Postfach {{.Mail}}\n\nwird geschlossen\n",    // no day
		"leaving-fr.txt":                "Boîte\n\nsera fermée le {{.Due}}\n",          // no mailbox
		"leaving-it.txt":                "Casella {{.Mail}} {{.Giorno}}\n\n{{.Due}}\n", // unknown field
		"leaving-en.txt":                "Mailbox {{.Mail}\n\n{{.Due}}\n",              // syntax
		"leaving-pupil-de.txt":          "\n{{.Mail}} {{.Due}}\n",                      // no subject
		"cancelled-de.txt":              "{{.Mail}}\n\n",                               // no body
		"cancelled-uncles-de.txt":       "x {{.Mail}}\n\ny\n",                          // unknown role
		"reminder-class-teacher-de.txt": "x {{.Mail}} {{.Due}}\n\ny\n",                 // of what is not told to them
		"gone-de.txt":                   "x {{.Mail}}\n\ny\n",                          // unknown kind
		"leaving-deutsch.txt":           "x {{.Mail}}\n\n{{.Due}}\n",                   // no language
		"leaving-de.html":               "x",
	}
	for name, text := range bad {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "cancelled-en.txt~"), []byte("an editor's backup"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := notify.LoadTexts(dir, "de")
	if err == nil {
		t.Fatal("taken")
	}
	for name := range bad {
		if !strings.Contains(err.Error(), name+" in "+dir) {
			t.Errorf("nothing about %s in:\n%v", name, err)
		}
	}
	if strings.Contains(err.Error(), "~") {
		t.Errorf("an editor's backup counts: %v", err)
	}
	if _, err := notify.LoadTexts(filepath.Join(dir, "none"), "de"); err == nil {
		t.Error("a folder that does not exist is taken")
	}
}

// What others are told about a pupil is never what is said to the pupil: also where a
// language has no text for them.
func TestTextsForOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	err := os.WriteFile(filepath.Join(dir, "leaving-pt.txt"), []byte("Caixa {{.Mail}}\n\n{{.Due}}\n"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	texts, err := notify.LoadTexts(dir, "fr")
	if err != nil {
		t.Fatal(err)
	}
	greeting := map[string]string{"de": "Guten Tag Robin Muster", "fr": "Bonjour Robin Muster",
		"it": "Buongiorno Robin Muster", "en": "Good day, Robin Muster", "pt": "Bonjour Robin Muster"}
	for lang, want := range greeting {
		for _, kind := range notify.Kinds() {
			for _, to := range []schoolmail.Relation{schoolmail.RelationParents, schoolmail.RelationGuardians,
				schoolmail.RelationClassTeacher} {
				subject, body, err := texts.PreviewTo(kind, to, lang, "Schulinformatik")
				if told := notify.Told(kind, to); !told {
					if err == nil {
						t.Errorf("%s to %s: %s", kind, to, subject)
					}
					continue
				}
				if err != nil || !strings.Contains(body, want) || !strings.Contains(body, "Erika Beispiel") ||
					!strings.Contains(subject, "erika.beispiel@") || !strings.Contains(body, "Schulinformatik") {
					t.Errorf("%s to %s in %s: %v %s\n%s", kind, to, lang, err, subject, body)
				}
			}
		}
	}
}
