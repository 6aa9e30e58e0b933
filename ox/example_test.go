package ox_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ox"
	"github.com/ictmedia/schoolmail/ox/oxtest"
)

// A context with its administrator, a user in it, and a change to him.
func Example() {
	srv, err := oxtest.Start() // your installation
	if err != nil {
		panic(err)
	}
	defer srv.Close()
	ctx := context.Background()

	client, err := ox.New([]string{srv.SOAPURL}, ox.Credentials{Login: "oxadminmaster", Password: "secret"}, nil)
	if err != nil {
		log.Fatal(err)
	}
	admin := ox.Credentials{Login: "oxadmin", Password: "keep this safe"}
	_, err = client.Contexts.Create(ctx, ox.NewContext{
		ID: 42, Name: "secondary1",
		Admin: ox.NewUser{
			Name: admin.Login, Password: admin.Password, DisplayName: "Administrator",
			GivenName: "Context", FamilyName: "Administrator", PrimaryEmail: "oxadmin@secondary1.example",
			AccessName: "all",
		},
	})
	if err != nil {
		log.Fatal(err)
	}

	school := client.Context(42, admin)
	mia, err := school.Users.Create(ctx, ox.NewUser{
		Name: "mia.lind", DisplayName: "Mia Lind", GivenName: "Mia", FamilyName: "Lind",
		PrimaryEmail: "mia.lind@school.example", Password: "initial",
		AccessName: "groupware_standard",
		More:       ox.UserChange{Language: new("de_DE"), TimeZone: new("Europe/Zurich"), Department: new("7b")},
	})
	if err != nil {
		log.Fatal(err)
	}

	// She marries. The old address stays as an alias.
	change := ox.UserChange{FamilyName: new("Berg"), DisplayName: new("Mia Berg"), Department: new("")}
	change.SetAddresses("mia.berg@school.example", "mia.lind@school.example")
	if err := school.Users.Change(ctx, ox.UserRef{ID: mia.ID}, change); err != nil {
		log.Fatal(err)
	}

	for u, err := range school.Users.All(ctx, nil) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(u.ID, u.Name, u.PrimaryEmail, u.OtherAddresses())
	}
	// Output:
	// 2 oxadmin oxadmin@secondary1.example []
	// 3 mia.lind mia.berg@school.example [mia.lind@school.example]
}

// exampleSchool starts a simulated installation with contexts 10 and 20.
func exampleSchool() (*oxtest.Instance, *ox.Client) {
	srv, err := oxtest.Start()
	if err != nil {
		panic(err)
	}
	for _, id := range []int{10, 20} {
		if err := srv.State().AddContext(oxtest.Context{ID: schoolmail.ContextID(id), Name: fmt.Sprintf("school%d", id),
			Access: "all"}); err != nil {
			log.Fatal(err)
		}
		for _, name := range []string{"anna", "beat"} {
			if _, err := srv.State().AddUser(schoolmail.ContextID(id), oxtest.User{Name: fmt.Sprintf("%s.%d", name, id),
				Access: "groupware_standard"}); err != nil {
				log.Fatal(err)
			}
		}
	}
	client, err := ox.New([]string{srv.SOAPURL}, ox.Credentials{Login: "oxadminmaster", Password: "secret"}, nil)
	if err != nil {
		log.Fatal(err)
	}
	return srv, client
}

func ExampleUserChange_Minus() {
	srv, client := exampleSchool()
	defer srv.Close()
	ctx := context.Background()
	users := client.Context(10, ox.Credentials{Login: "oxadmin", Password: "secret"}).Users

	for _, department := range []string{"7b", "7b", "8b"} {
		u, err := users.Get(ctx, ox.UserRef{Name: "anna.10"})
		if err != nil {
			log.Fatal(err)
		}
		want := ox.UserChange{Department: &department, MailEnabled: new(true)}
		change := want.Minus(u)
		if change.IsZero() {
			fmt.Println("nothing to do")
			continue
		}
		if err := users.Change(ctx, ox.UserRef{ID: u.ID}, change); err != nil {
			log.Fatal(err)
		}
		fmt.Println("changed")
	}
	// Output:
	// changed
	// nothing to do
	// changed
}

func ExampleError() {
	srv, client := exampleSchool()
	defer srv.Close()
	users := client.Context(10, ox.Credentials{Login: "oxadmin", Password: "secret"}).Users

	_, err := users.Create(context.Background(), ox.NewUser{
		Name: "anna.two", DisplayName: "anna.10", GivenName: "Anna", FamilyName: "Zwei",
		PrimaryEmail: "anna.two@school.example", Password: "initial",
	})
	fmt.Println(errors.Is(err, ox.ErrDisplayNameUsed))
	if e, ok := errors.AsType[*ox.Error](err); ok {
		fmt.Println(e.Op, e.Subject, e.Context, e.Kind, e.Temporary())
	}
	// Output:
	// true
	// create user anna.two 10 display name used already false
}

func ExampleAccess_Check() {
	standard, _ := ox.NamedAccess("groupware_standard")
	closed := standard.With(ox.AccessGlobalAddressBookDisabled)
	err, with, _ := strings.Cut(closed.Check(ox.AccessRules{}).Error(), " with ")
	fmt.Println(err, "with")
	fmt.Println(with)

	alone := closed.Without(ox.AccessEditPublicFolders | ox.AccessReadCreateSharedFolders | ox.AccessDelegateTask)
	fmt.Println(alone.Check(ox.AccessRules{}))
	// Output:
	// ox: check access: invalid data: the global address book cannot be disabled together with
	// delegateTask,editPublicFolders,readCreateSharedFolders
	// <nil>
}

func ExampleGroups_AddMembers() {
	srv, client := exampleSchool()
	defer srv.Close()
	ctx := context.Background()
	groups := client.Context(10, ox.Credentials{Login: "oxadmin", Password: "secret"}).Groups

	class, err := groups.Create(ctx, ox.Group{Name: "7b", DisplayName: "Class 7b", Members: []schoolmail.UserID{3}})
	if err != nil {
		log.Fatal(err)
	}
	// OX refuses a call that names a member; here he simply stays one.
	if err := groups.AddMembers(ctx, ox.GroupRef{ID: class.ID}, 3, 4); err != nil {
		log.Fatal(err)
	}
	class, err = groups.Get(ctx, ox.GroupRef{Name: "7b"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(class.DisplayName, class.Members)
	// Output:
	// Class 7b [3 4]
}

// What a copy needs besides the copy; [ox.Groupware] does it in one call.
func ExampleClient_CopyUser() {
	srv, client := exampleSchool()
	defer srv.Close()
	ctx := context.Background()
	admin := ox.Credentials{Login: "oxadmin", Password: "secret"}
	primary, secondary := client.Context(10, admin), client.Context(20, admin)

	id, err := client.CopyUser(ctx, "anna.10", primary, secondary, nil)
	if err != nil {
		log.Fatal(err)
	}
	anna := ox.UserRef{ID: id}
	before, err := secondary.Users.Access(ctx, anna)
	if err != nil {
		log.Fatal(err)
	}
	// Access by name opens the global address book, which a copy cannot see.
	if err := secondary.Users.SetAccessName(ctx, anna, "groupware_standard"); err != nil {
		log.Fatal(err)
	}
	after, err := secondary.Users.Access(ctx, anna)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(before.Has(ox.AccessGlobalAddressBookDisabled), after.Has(ox.AccessGlobalAddressBookDisabled))
	// A copy is in no group.
	if err := secondary.Groups.AddMembers(ctx, ox.GroupRef{ID: ox.DefaultGroup}, id); err != nil {
		log.Fatal(err)
	}
	// The source is still there, and a second copy is refused.
	_, err = client.CopyUser(ctx, "anna.10", primary, secondary, nil)
	fmt.Println(errors.Is(err, ox.ErrUserExists))
	if err := primary.Users.Delete(ctx, ox.Reassign{}, ox.UserRef{Name: "anna.10"}); err != nil {
		log.Fatal(err)
	}
	// Output:
	// true false
	// true
}

// A user moves to another context with everything that is his.
func ExampleGroupware() {
	srv, client := exampleSchool()
	defer srv.Close()
	ctx := context.Background()
	admin := ox.Credentials{Login: "oxadmin", Password: "secret"}
	groupware := ox.NewGroupware(client, map[schoolmail.ContextID]ox.Credentials{10: admin, 20: admin}, nil)

	from, err := groupware.User(ctx, 10, "anna.10")
	if err != nil {
		log.Fatal(err)
	}
	to, err := groupware.CopyUser(ctx, "anna.10", 10, 20, schoolmail.UserSpec{Access: "groupware_standard",
		MailEnabled: true})
	if err != nil {
		log.Fatal(err)
	}
	if err := groupware.VerifyCopy(ctx, from, to); err != nil {
		log.Fatal(err)
	}
	// Here the directory is switched over; then the old place goes.
	if err := groupware.DeleteUser(ctx, from); err != nil {
		log.Fatal(err)
	}

	contexts, places, err := groupware.Observe(ctx, []schoolmail.ContextID{10, 20})
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range contexts {
		fmt.Println(c.ID, c.Name, c.Users)
	}
	for _, p := range places {
		if !p.Admin {
			fmt.Println(p.Context, p.Username)
		}
	}
	// Output:
	// 10 school10 2
	// 20 school20 4
	// 10 beat.10
	// 20 anna.20
	// 20 beat.20
	// 20 anna.10
}
