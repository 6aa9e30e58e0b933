package udm_test

import (
	"context"
	"fmt"

	"github.com/ictmedia/schoolmail/ucs/ucstest"
	"github.com/ictmedia/schoolmail/ucs/udm"
)

// A pupil is made, moves to another context, and leaves. Here the API is a
// simulator.
func Example() {
	err := ucstest.Run(func(ctx context.Context, dir *ucstest.Server) error {
		if err := dir.SeedSchools("gsmitte"); err != nil {
			return err
		}
		sim, err := ucstest.StartUDM(dir.URL, dir.BindDN, dir.Password)
		if err != nil {
			return err
		}
		defer sim.Close()
		c, err := udm.New(sim.URL, sim.User, sim.Password, nil)
		if err != nil {
			return err
		}
		school := "ou=gsmitte," + dir.BaseDN
		ref, err := c.Create(ctx, udm.Users, udm.User{Username: "ida.abel", FirstName: "Ida", LastName: "Abel",
			Password: "Xy7-ooP2-rr41", MailPrimaryAddress: "ida.abel@schulen.example", OX: true, OXContext: 101,
			PrimaryGroup: "cn=Domain Users gsmitte,cn=groups," + school, School: []string{"gsmitte"},
			SchoolRoles: []string{"student:school:gsmitte"}, Student: true}.Object("cn=schueler,cn=users,"+school))
		if err != nil {
			return err
		}
		_, err = c.Patch(ctx, udm.Users, ref.DN, udm.Properties{"oxContext": 102}, &udm.PatchOptions{Etag: ref.Etag})
		if err != nil {
			return err
		}
		o, err := c.Get(ctx, udm.Users, ref.DN)
		if err != nil {
			return err
		}
		u := udm.UserOf(o)
		fmt.Println(u.Username, "in context", u.OXContext)
		return c.Remove(ctx, udm.Users, ref.DN, "")
	})
	fmt.Println(err)
	// Output:
	// ida.abel in context 102
	// <nil>
}
