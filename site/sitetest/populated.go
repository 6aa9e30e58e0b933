package sitetest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot"
	"github.com/ictmedia/schoolmail/ox"
	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/notify"
	"github.com/ictmedia/schoolmail/ucs"
)

// Populated is a sandbox whose district has its accounts, OX users and
// mailboxes: what the first run of the main job leaves behind. Everybody's OX
// password is [UserPassword].
type Populated struct {
	*Sandbox
	Accounts []schoolmail.Account // of the directory
}

// StartPopulated starts a sandbox and does the main job in it.
func StartPopulated(ctx context.Context, opts ...Option) (_ *Populated, err error) {
	sb, err := Start(opts...)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, sb.Close())
		}
	}()
	if err := sb.CreateContexts(); err != nil {
		return nil, err
	}
	set := sb.Settings()
	set.StateDir = filepath.Join(sb.folder, "populating")
	set.Groupware.NewPassword = func(string) (schoolmail.Secret, error) { return UserPassword, nil }
	open, err := site.Open(set, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, open.Close()) }()
	acts, err := open.Run(ctx, &site.RunOptions{Day: sb.District.Today(), Apply: true})
	if err != nil {
		return nil, err
	}
	act := acts[len(acts)-1]
	if act.Err != nil {
		return nil, act.Err
	}
	if n := len(act.Plan.Steps) - act.Result.Count(schoolmail.StatusDone); n > 0 {
		return nil, fmt.Errorf("sandbox: %d steps of the first run were not done", n)
	}
	w, err := open.Look(ctx, sb.District.Today())
	if err != nil {
		return nil, err
	}
	return &Populated{Sandbox: sb, Accounts: w.State.Accounts}, nil
}

// Settings are those of a site that is the sandbox, with export and state in the
// sandbox's own folder. Each call returns new ones, for the caller to change.
func (s *Sandbox) Settings() *site.Settings {
	admins := map[schoolmail.ContextID]ox.Credentials{}
	for _, c := range s.Policy.Contexts {
		admins[c.ID] = ox.Credentials{Login: AdminLogin(c.ID), Password: AdminPassword(c.ID)}
	}
	return &site.Settings{
		Name: "sandbox", Sandbox: true, Policy: s.Policy, StateDir: filepath.Join(s.folder, "state"),
		ExportDir:    s.exportDir(),
		DirectoryURL: s.LDAP.URL,
		Directory: ucs.Options{BindDN: s.LDAP.BindDN, Password: s.LDAP.Password, BaseDN: s.LDAP.BaseDN, Plaintext: true,
			Source: s.Policy.Source, Scheme: ucs.SSHA},
		OXEndpoints: []string{s.OX.SOAPURL},
		OXMaster:    ox.Credentials{Login: MasterLogin, Password: MasterPassword},
		OXAdmins:    admins,
		DoveadmURL:  s.Doveadm.URL, Doveadm: dovecot.Options{APIKey: DoveadmKey},
		SMTPAddr: s.SMTP.Addr(), MailFrom: MailFrom, SMTP: notify.Options{Site: "Schulinformatik (Sandbox)"},
	}
}
