package probe

import (
	"context"
	"fmt"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ox/appsuite"
	"github.com/ictmedia/schoolmail/ox/oxtest"
)

const (
	sandboxPassword = schoolmail.Secret("sandbox")
	serviceLogin    = "svc-books"
	sandboxBook     = "Lehrpersonen"
)

// sandbox is a simulated Open-Xchange with two contexts, each with pupils or
// teachers and an address book for them, and the configuration that fits. With
// leaveOpen one pupil was made without closing the global address book.
func sandbox(ctx context.Context, leaveOpen bool) (_ *oxtest.Instance, _ *Config, err error) {
	srv := oxtest.Start()
	defer func() {
		if err != nil {
			srv.Close()
		}
	}()
	c := &Config{HTTPURL: srv.HTTPURL, SOAPURLs: []string{srv.SOAPURL}}
	for _, x := range []struct {
		id            schoolmail.ContextID
		name, role    string
		access, extra string
	}{
		{21, "primar-1", "pupil", "webmail", "webmail"},
		{31, "sekundar-1", "pupil", "pim", "pim"},
	} {
		if x.id == 21 && leaveOpen {
			x.extra = "webmail_plus" // the combination that new users inherit
		}
		err := srv.State().AddContext(oxtest.Context{ID: int(x.id), Name: x.name, Access: "all",
			Admin: oxtest.User{Name: "oxadmin", Password: sandboxPassword.Reveal()}})
		if err != nil {
			return nil, nil, err
		}
		users := []oxtest.User{{Name: serviceLogin, Access: "groupware_standard"}, {Name: "probe", Access: x.extra}}
		for i := range 20 {
			users = append(users, oxtest.User{Name: fmt.Sprintf("%s%d", x.role, i), Access: x.access,
				Fields: map[string]string{"telephone_home1": fmt.Sprintf("031 000 00 %02d", i), "department": "7b"}})
		}
		for _, u := range users {
			u.Password = sandboxPassword.Reveal()
			if _, err := srv.State().AddUser(int(x.id), u); err != nil {
				return nil, nil, err
			}
		}
		if _, err := srv.State().AddGroup(int(x.id), oxtest.Group{Name: "k7b", Members: []int{4, 5, 6}}); err != nil {
			return nil, nil, err
		}
		login := func(user string) Login {
			return Login{Role: x.role, Login: fmt.Sprintf("%s@%s", user, x.name), Password: sandboxPassword}
		}
		if err := writeBook(ctx, srv.HTTPURL, login(serviceLogin).credentials()); err != nil {
			return nil, nil, err
		}
		c.Contexts = append(c.Contexts, Context{ID: x.id, Name: x.name, Book: sandboxBook, Control: login("oxadmin"),
			Accounts: []Login{login("probe"), login(x.role + "0")}, Exempt: []string{serviceLogin}})
	}
	return srv, c, nil
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
	folder, err := s.CreateFolder(ctx, appsuite.CreateFolder{Parent: appsuite.PublicFolder, Title: sandboxBook, Permissions: []appsuite.Permission{
		{Entity: appsuite.UserEntity(s.UserID()), Rights: appsuite.Owner()},
		{Entity: appsuite.Everybody(), Rights: appsuite.ReadOnly()},
	}})
	if err != nil {
		return err
	}
	for i := range 3 {
		_, _, err := s.CreateContact(ctx, appsuite.CreateContact{Folder: folder, Fields: appsuite.Fields{
			appsuite.DisplayName: fmt.Sprintf("Lehrperson %d", i), appsuite.Email1: fmt.Sprintf("lehrperson%d@schulen.example", i)}})
		if err != nil {
			return err
		}
	}
	return s.Logout(ctx)
}
