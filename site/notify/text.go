package notify

import (
	"embed"
	"fmt"
	"strings"
	"text/template"

	"github.com/ictmedia/schoolmail"
)

//go:embed texts/*.txt
var files embed.FS

var texts = template.Must(template.ParseFS(files, "texts/*.txt"))

// text renders subject (first line of the template) and body in the person's
// language; German where there is no other.
func text(n schoolmail.Notice, site string) (subject, body string, err error) {
	lang := "de"
	if l := strings.ToLower(n.Account.Language); strings.HasPrefix(l, "fr") {
		lang = "fr"
	}
	t := texts.Lookup(fmt.Sprintf("%s-%s.txt", n.Kind, lang))
	if t == nil {
		return "", "", fmt.Errorf("notify: unknown kind of notice %q", n.Kind)
	}
	var b strings.Builder
	err = t.Execute(&b, struct {
		Name, Mail, Due, Site string
	}{n.Account.DisplayName, n.Account.Mail, day(n.Due), site})
	if err != nil {
		return "", "", fmt.Errorf("notify: render notice: %w", err)
	}
	subject, body, _ = strings.Cut(b.String(), "\n")
	return subject, strings.TrimLeft(body, "\n"), nil
}

func day(d schoolmail.Date) string {
	if d.IsZero() {
		return ""
	}
	return d.Time().Format("02.01.2006")
}
