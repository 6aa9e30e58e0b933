package notify

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"text/template"

	"github.com/ictmedia/schoolmail"
)

//go:embed texts/*.txt
var shipped embed.FS

// Texts are the texts of notices, as templates (package text/template). The first
// line is the subject, the rest the body. German, French, Italian and English are
// shipped; a site can replace each of them, say it differently to one role, and add
// languages, see [LoadTexts].
type Texts struct {
	templates *template.Template
	language  string
}

// Fields are what a template can say. Of a text about a mailbox that will be closed
// {{.Mail}} and {{.Due}} must not be missing.
type Fields struct {
	Name   string // display name
	Given  string
	Family string
	Mail   string // the mailbox's address
	Due    string // the day on which it closes, as 02.01.2006; "" where nothing closes
	School string // id of the first school
	Site   string // name of the site
}

// kinds of notices, and whether their text must name the day.
var kinds = map[schoolmail.NoticeKind]bool{schoolmail.NoticeLeaving: true, schoolmail.NoticeReminder: true,
	schoolmail.NoticeCancelled: false}

var roles = []schoolmail.Role{schoolmail.RolePupil, schoolmail.RoleTeacher, schoolmail.RoleStaff}

// DefaultTexts returns the shipped texts. Who has no language, or one that there is
// no text in, gets the given one; "" means German.
func DefaultTexts(language string) *Texts {
	return &Texts{template.Must(template.ParseFS(shipped, "texts/*.txt")), cmp.Or(language, "de")}
}

// LoadTexts returns the shipped texts, with those in the folder in their place. A
// file is named KIND-LANGUAGE.txt or KIND-ROLE-LANGUAGE.txt, for example
// leaving-de.txt and leaving-pupil-de.txt; kinds are leaving, reminder and cancelled, roles
// pupil, teacher and staff, languages have two letters. The text for a role goes
// before that for all, and the person's language before the site's.
//
// Every text is tried out; the error names all files with a mistake.
func LoadTexts(dir, language string) (*Texts, error) {
	t := DefaultTexts(language)
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("notify: texts: %w", err)
	}
	var errs []error
	for _, f := range files {
		if f.IsDir() || strings.HasPrefix(f.Name(), ".") || strings.HasSuffix(f.Name(), "~") {
			continue
		}
		if err := t.load(os.DirFS(dir), f.Name()); err != nil {
			errs = append(errs, fmt.Errorf("notify: texts: %s in %s: %w", f.Name(), dir, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return t, nil
}

// load replaces or adds the text in one file.
func (t *Texts) load(dir fs.FS, name string) error {
	kind, role, err := parseName(name)
	if err != nil {
		return err
	}
	b, err := fs.ReadFile(dir, name)
	if err != nil {
		return err
	}
	// A mark at the beginning and CRLF are what editors leave.
	text := strings.ReplaceAll(strings.TrimPrefix(string(b), "\ufeff"), "\r\n", "\n")
	if _, err = t.templates.New(name).Parse(text); err != nil {
		return err
	}
	n := sample(kind, role)
	subject, body, err := t.render(name, n, "Schulinformatik")
	switch {
	case err != nil:
		return err
	case subject == "":
		return errors.New("the first line, the subject, is empty")
	case strings.TrimSpace(body) == "":
		return errors.New("there is nothing below the first line, the subject")
	case !strings.Contains(subject+body, n.Account.Mail):
		return errors.New("it does not name the mailbox: {{.Mail}} is missing")
	case kinds[kind] && !strings.Contains(subject+body, day(n.Due)):
		return errors.New("it does not name the day on which the mailbox closes: {{.Due}} is missing")
	}
	return nil
}

// Kinds returns the kinds of notices, in the order in which a person gets them.
func Kinds() []schoolmail.NoticeKind {
	return []schoolmail.NoticeKind{schoolmail.NoticeLeaving, schoolmail.NoticeReminder, schoolmail.NoticeCancelled}
}

// Languages returns the languages that there are texts in, sorted.
func (t *Texts) Languages() []string {
	var langs []string
	for _, x := range t.templates.Templates() {
		name := strings.TrimSuffix(x.Name(), ".txt")
		langs = append(langs, name[strings.LastIndexByte(name, '-')+1:])
	}
	slices.Sort(langs)
	return slices.Compact(langs)
}

// parseName takes the name of a text's file apart.
func parseName(name string) (schoolmail.NoticeKind, schoolmail.Role, error) {
	parts := strings.Split(strings.TrimSuffix(name, ".txt"), "-")
	kind, role, lang := schoolmail.NoticeKind(parts[0]), schoolmail.Role(""), parts[len(parts)-1]
	if len(parts) == 3 {
		role = schoolmail.Role(parts[1])
	}
	_, known := kinds[kind]
	if !strings.HasSuffix(name, ".txt") || len(parts) < 2 || len(parts) > 3 || !known || len(lang) != 2 ||
		strings.ToLower(lang) != lang ||
		role != "" && !slices.Contains(roles, role) || len(parts) == 3 && role == "" {
		return "", "", errors.New("expected a name such as leaving-de.txt or cancelled-pupil-fr.txt")
	}
	return kind, role, nil
}

// Preview renders the text that a person of this role and language would get, with a
// made-up person's data.
func (t *Texts) Preview(kind schoolmail.NoticeKind, role schoolmail.Role, language, site string) (subject,
	body string, err error) {
	n := sample(kind, role)
	n.Account.Language = language
	return t.Render(n, site)
}

func sample(kind schoolmail.NoticeKind, role schoolmail.Role) schoolmail.Notice {
	n := schoolmail.Notice{ID: "preview", Kind: kind, Account: schoolmail.Account{
		Username: "erika.beispiel", GivenName: "Erika", FamilyName: "Beispiel", DisplayName: "Erika Beispiel", Role: role,
		Mail: "erika.beispiel@schulen.example", Memberships: []schoolmail.Membership{{School: "beispielschule"}}}}
	if kinds[kind] {
		n.Due = schoolmail.NewDate(2027, 3, 29)
	}
	return n
}

// Render returns subject and body of a notice in the person's language.
func (t *Texts) Render(n schoolmail.Notice, site string) (subject, body string, err error) {
	name := t.name(n)
	if name == "" {
		return "", "", fmt.Errorf("notify: unknown kind of notice %q", n.Kind)
	}
	if subject, body, err = t.render(name, n, site); err != nil {
		return "", "", fmt.Errorf("notify: render notice: %w", err)
	}
	return subject, body, nil
}

// name returns the name of the text that fits best, or "".
func (t *Texts) name(n schoolmail.Notice) string {
	lang, _, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(n.Account.Language, "_", "-")), "-")
	for _, l := range []string{lang, t.language, "de"} {
		for _, role := range []string{"-" + string(n.Account.Role), ""} {
			if name := string(n.Kind) + role + "-" + l + ".txt"; l != "" && t.templates.Lookup(name) != nil {
				return name
			}
		}
	}
	return ""
}

func (t *Texts) render(name string, n schoolmail.Notice, site string) (subject, body string, err error) {
	f := Fields{Name: n.Account.DisplayName, Given: n.Account.GivenName, Family: n.Account.FamilyName,
		Mail: n.Account.Mail,
		Due:  day(n.Due), Site: site}
	if len(n.Account.Memberships) > 0 {
		f.School = string(n.Account.Memberships[0].School)
	}
	var b strings.Builder
	if err := t.templates.ExecuteTemplate(&b, name, f); err != nil {
		return "", "", err
	}
	subject, body, _ = strings.Cut(b.String(), "\n")
	return strings.TrimSpace(subject), strings.TrimLeft(body, "\n"), nil
}

func day(d schoolmail.Date) string {
	if d.IsZero() {
		return ""
	}
	return d.Time().Format("02.01.2006")
}
