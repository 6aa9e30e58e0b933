package program

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/site"
)

// newPasswords gives one person, or the pupils of a class, new initial passwords.
func (p *program) newPasswords(ctx context.Context) int {
	whose := site.WhosePasswords{Who: p.newPassword}
	if p.newPasswordClass != "" {
		school, class, ok := strings.Cut(p.newPasswordClass, "/")
		if !ok || school == "" || class == "" {
			return p.flags.Fail(cli.Usage, fmt.Errorf("-new-password-class %s: expected SCHOOL/CLASS", p.newPasswordClass))
		}
		whose.School, whose.Class = schoolmail.SchoolID(school), class
	}
	set, warnings, err := site.Load(p.config, nil)
	if err != nil {
		return p.flags.Fail(cli.Usage, err)
	}
	p.flags.Warn(warnings...)
	set.PlanOnly = !p.apply
	open, err := site.Open(set, nil)
	if err != nil {
		return p.flags.Fail(cli.Failed, err)
	}
	defer open.Close()
	list, err := open.NewPasswords(ctx, whose, &site.NewPasswordOptions{Day: p.now, Apply: p.apply, By: p.by,
		BreakLease: p.breakLease, Observer: p})
	exit := p.tellPasswords(open, list)
	if _, bad := errors.AsType[*site.InputError](err); bad {
		return p.flags.Fail(cli.Usage, err)
	}
	if err != nil {
		return p.flags.Fail(cli.Failed, err)
	}
	return exit
}

// tellPasswords lists who gets a new password, or got one, and who does not.
func (p *program) tellPasswords(open *site.Site, list []site.NewPassword) int {
	exit := cli.Done
	set := 0
	for _, x := range list {
		a := &x.Account
		school := &strings.Builder{}
		for _, m := range a.Memberships {
			fmt.Fprintf(school, "  %s", strings.TrimSpace(string(m.School)+" "+strings.Join(m.Classes, ", ")))
		}
		what := "would get a new initial password"
		switch {
		case x.Refused != "":
			what = "none: " + x.Refused
		case x.Set:
			what = "set"
			set++
		case p.apply:
			what = "not set"
		}
		if x.Err != nil {
			what += ": " + x.Err.Error()
		}
		if x.Earlier {
			what += " (asked for earlier, and cut off)"
		}
		if x.Refused != "" || x.Err != nil {
			exit = cli.Held
		}
		fmt.Fprintf(p.stdout, "  %s  %s%s: %s\n", a.Username, a.DisplayName, school, what)
	}
	switch {
	case set > 0:
		fmt.Fprintf(p.stdout, "%d new initial %s, by school: %s\n", set, map[bool]string{true: "password",
			false: "passwords"}[set == 1], open.PasswordDir())
	case len(list) > 0 && !p.apply:
		fmt.Fprintln(p.stdout, "This was only the list: nothing was written. -apply sets them.")
	}
	return exit
}
