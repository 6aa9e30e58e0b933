package program

import (
	"context"
	"fmt"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/notify"
)

// previewNotices prints all texts that people may get.
func (p *program) previewNotices(context.Context) int {
	set, warnings, err := site.Load(p.config, nil)
	if err != nil {
		return p.flags.Fail(cli.Usage, err)
	}
	p.flags.Warn(warnings...)
	for _, kind := range notify.Kinds() {
		for _, lang := range set.SMTP.Texts.Languages() {
			for _, role := range []schoolmail.Role{schoolmail.RolePupil, schoolmail.RoleTeacher, schoolmail.RoleStaff} {
				subject, body, err := set.SMTP.Texts.Preview(kind, role, lang, set.Name)
				if err != nil {
					return p.flags.Fail(cli.Failed, err)
				}
				fmt.Fprintf(p.stdout, "== %s, %s, %s\nSubject: %s\n\n%s\n", kind, role, lang, subject, body)
			}
			for _, to := range notify.Others() {
				if !notify.Told(kind, to) {
					continue
				}
				subject, body, err := set.SMTP.Texts.PreviewTo(kind, to, lang, set.Name)
				if err != nil {
					return p.flags.Fail(cli.Failed, err)
				}
				fmt.Fprintf(p.stdout, "== %s, about a pupil to %s, %s\nSubject: %s\n\n%s\n", kind, to, lang, subject, body)
			}
		}
	}
	return cli.Done
}
