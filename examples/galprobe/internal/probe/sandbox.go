package probe

import (
	"context"
	"fmt"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ox/appsuite"
	"github.com/ictmedia/schoolmail/ox/oxtest"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

const sandboxBook = "Lehrpersonen"

// sandbox is the sandbox with a small made-up district, and the configuration
// to probe two of its contexts: one of primary, one of secondary pupils, as the
// probe account and as one of the pupils. With leaveOpen there is somebody in
// the first who was made without closing the global address book.
func sandbox(ctx context.Context, leaveOpen bool) (_ *sitetest.Populated, _ *Config, err error) {
	p, err := sitetest.StartPopulated(ctx, sitetest.WithPeople(120))
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			p.Close()
		}
	}()
	c := &Config{HTTPURL: p.OX.HTTPURL, SOAPURLs: []string{p.OX.SOAPURL}}
	for _, spec := range p.Policy.Contexts {
		if spec.ID != 21 && spec.ID != 31 {
			continue
		}
		login := func(user string, password schoolmail.Secret) Login {
			return Login{Role: "pupil", Login: fmt.Sprintf("%s@%s", user, spec.Name), Password: password}
		}
		x := Context{ID: spec.ID, Name: spec.Name, Book: sandboxBook,
			Control:  login(sitetest.AdminLogin(spec.ID), sitetest.AdminPassword(spec.ID)),
			Accounts: []Login{login(sitetest.ProbeLogin, sitetest.UserPassword)}, Exempt: []string{sitetest.ServiceLogin}}
		for _, a := range p.Accounts {
			if a.Context == spec.ID {
				x.Accounts = append(x.Accounts, login(a.Username, sitetest.UserPassword))
				break
			}
		}
		if spec.ID == 21 && leaveOpen {
			// webmail_plus is what new users inherit unless told otherwise.
			if _, err := p.OX.State().AddUser(spec.ID, oxtest.User{Name: "left.open", Password: sitetest.UserPassword,
				Access: "webmail_plus"}); err != nil {
				return nil, nil, err
			}
			x.Accounts = append(x.Accounts, login("left.open", sitetest.UserPassword))
		}
		if err := writeBook(ctx, p.OX.HTTPURL, login(sitetest.ServiceLogin,
			sitetest.UserPassword).credentials()); err != nil {
			return nil, nil, err
		}
		c.Contexts = append(c.Contexts, x)
	}
	return p, c, nil
}

// writeBook makes an address book that everybody in the context may read.
func writeBook(ctx context.Context, url string, cred appsuite.Credentials) error {
	client, err := appsuite.New(url, nil)
	if err != nil {
		return err
	}
	s, err := client.Login(ctx, cred)
	if err != nil {
		return err
	}
	folder, err := s.CreateFolder(ctx, appsuite.CreateFolder{Parent: appsuite.PublicFolder, Title: sandboxBook,
		Permissions: []appsuite.Permission{
			{Entity: appsuite.UserEntity(s.UserID()), Rights: appsuite.Owner()},
			{Entity: appsuite.Everybody(), Rights: appsuite.ReadOnly()},
		}})
	if err != nil {
		return err
	}
	for i := range 3 {
		_, _, err := s.CreateContact(ctx, appsuite.CreateContact{Folder: folder, Fields: appsuite.Fields{
			appsuite.DisplayName: fmt.Sprintf("Lehrperson %d", i), appsuite.Email1: fmt.Sprintf("lehrperson%d@schulen.example",
				i)}})
		if err != nil {
			return err
		}
	}
	return s.Logout(ctx)
}
