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
	To     string // name of who is told about the person; "" if it is the person, or not known
	Site   string // name of the site
	// Of somebody who was renamed; the old ones are "" where they stay.
	Username, OldUsername, OldMail string
}

// kinds of notices, and whether their text must name the day.
var kinds = map[schoolmail.NoticeKind]bool{schoolmail.NoticeLeaving: true, schoolmail.NoticeReminder: true,
	schoolmail.NoticeCancelled: false, schoolmail.NoticeRenamed: true, Answer: false}

// Answer is the kind of the text with which mail to a closed mailbox is answered: no
// notice, and said to whoever has written, in the language of the mailbox's person.
const Answer schoolmail.NoticeKind = "answer"

var roles = []schoolmail.Role{schoolmail.RolePupil, schoolmail.RoleTeacher, schoolmail.RoleStaff}

// Others returns who may be told about a pupil by a text of its own: guardians get that
// of parents.
func Others() []schoolmail.Relation {
	return []schoolmail.Relation{schoolmail.RelationParents, schoolmail.RelationClassTeacher}
}

// Told reports whether there is a text of a kind for somebody else: who teaches the
// class hears only that a mailbox will close, since classes change meanwhile.
func Told(kind schoolmail.NoticeKind, to schoolmail.Relation) bool {
	to = schoolmail.Relation(audience(to))
	return kind != Answer && slices.Contains(Others(), to) &&
		(to != schoolmail.RelationClassTeacher || kind == schoolmail.NoticeLeaving)
}

// audience returns the word for the recipient in the names of texts.
func audience(to schoolmail.Relation) string {
	if to == schoolmail.RelationGuardians {
		return string(schoolmail.RelationParents)
	}
	return string(to)
}

// DefaultTexts returns the shipped texts. Who has no language, or one that there is
// no text in, gets the given one; "" means German.
func DefaultTexts(language string) *Texts {
	return &Texts{template.Must(template.ParseFS(shipped, "texts/*.txt")), cmp.Or(language, "de")}
}

// LoadTexts returns the shipped texts, with those in the folder in their place. A
// file is named KIND-LANGUAGE.txt or KIND-ROLE-LANGUAGE.txt, for example
// leaving-de.txt and leaving-pupil-de.txt; kinds are leaving, reminder, cancelled,
// renamed and answer, roles pupil, teacher and staff, languages have two letters. In the place of the
// role parents and class-teacher stand for the texts that others get about a pupil. The
// text for a role goes before that for all, and the person's language before the site's.
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
	kind, who, err := parseName(name)
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
	n := sample(kind, who)
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

// Kinds returns the kinds of notices, in the order in which a person gets them, and
// [Answer].
func Kinds() []schoolmail.NoticeKind {
	return []schoolmail.NoticeKind{schoolmail.NoticeLeaving, schoolmail.NoticeReminder, schoolmail.NoticeCancelled,
		schoolmail.NoticeRenamed, Answer}
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

// parseName takes the name of a text's file apart; who is a role, or one of Others.
func parseName(name string) (kind schoolmail.NoticeKind, who string, err error) {
	first, rest, _ := strings.Cut(strings.TrimSuffix(name, ".txt"), "-")
	lang := rest[strings.LastIndexByte(rest, '-')+1:]
	kind, who = schoolmail.NoticeKind(first), strings.TrimSuffix(strings.TrimSuffix(rest, lang), "-")
	_, known := kinds[kind]
	if !strings.HasSuffix(name, ".txt") || !known || len(lang) != 2 || strings.ToLower(lang) != lang ||
		who != "" && !slices.Contains(roles, schoolmail.Role(who)) && !Told(kind, schoolmail.Relation(who)) ||
		who == "" && rest != lang {
		return "", "", errors.New("expected a name such as leaving-de.txt, cancelled-pupil-fr.txt or " +
			"reminder-parents-it.txt")
	}
	return kind, who, nil
}

// Preview renders the text that a person of this role and language would get, with a
// made-up person's data.
func (t *Texts) Preview(kind schoolmail.NoticeKind, role schoolmail.Role, language, site string) (subject,
	body string, err error) {
	n := sample(kind, string(role))
	n.Account.Language = language
	return t.Render(n, site)
}

// PreviewTo renders the text that somebody else would get about a pupil.
func (t *Texts) PreviewTo(kind schoolmail.NoticeKind, to schoolmail.Relation, language, site string) (subject,
	body string, err error) {
	n := sample(kind, audience(to))
	n.To.Language = language
	return t.Render(n, site)
}

// sample is a notice about somebody made up to somebody of a role, or one of Others.
func sample(kind schoolmail.NoticeKind, who string) schoolmail.Notice {
	n := schoolmail.Notice{ID: "preview", Kind: kind, Account: schoolmail.Account{
		Username: "erika.beispiel", GivenName: "Erika", FamilyName: "Beispiel", DisplayName: "Erika Beispiel",
		Role: schoolmail.Role(who),
		Mail: "erika.beispiel@schulen.example", Memberships: []schoolmail.Membership{{School: "beispielschule"}}}}
	if slices.Contains(Others(), schoolmail.Relation(who)) {
		n.Account.Role = schoolmail.RolePupil
		n.To = schoolmail.Recipient{Relation: schoolmail.Relation(who), Name: "Robin Muster", Mail: "robin@muster.example"}
	}
	if kinds[kind] {
		n.Due = schoolmail.NewDate(2027, 3, 29)
	}
	if kind == schoolmail.NoticeRenamed {
		n.Former = schoolmail.Former{Username: "erika.muster", Mail: "erika.muster@schulen.example", Until: n.Due}
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
	language, who := n.Account.Language, []string{"-" + string(n.Account.Role), ""}
	if n.To.Relation != "" { // what is said to the person is not for others
		language, who = cmp.Or(n.To.Language, language), []string{"-" + audience(n.To.Relation)}
	}
	lang, _, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(language, "_", "-")), "-")
	for _, l := range []string{lang, t.language, "de"} {
		for _, w := range who {
			if name := string(n.Kind) + w + "-" + l + ".txt"; l != "" && t.templates.Lookup(name) != nil {
				return name
			}
		}
	}
	return ""
}

func (t *Texts) render(name string, n schoolmail.Notice, site string) (subject, body string, err error) {
	f := Fields{Name: n.Account.DisplayName, Given: n.Account.GivenName, Family: n.Account.FamilyName,
		Mail: n.Account.Mail,
		Due:  day(n.Due), Site: site, To: n.To.Name,
		Username: n.Account.Username, OldUsername: n.Former.Username, OldMail: n.Former.Mail}
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
