package appsuite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"slices"

	"github.com/ictmedia/schoolmail/ox/appsuite"
	"github.com/ictmedia/schoolmail/ox/oxtest"
)

// simulated is an OX in process with a service account in context 17.
func simulated() *oxtest.Instance {
	srv, err := oxtest.Start()
	if err != nil {
		panic(err)
	}
	if err := srv.State().AddContext(oxtest.Context{ID: 17, Name: "school17"}); err != nil {
		log.Fatal(err)
	}
	if _, err := srv.State().AddUser(17, oxtest.User{Name: "books", Access: "groupware_standard"}); err != nil {
		log.Fatal(err)
	}
	return srv
}

func Example() {
	srv := simulated()
	defer srv.Close()
	ctx := context.Background()

	c, err := appsuite.New(srv.HTTPURL, nil)
	if err != nil {
		log.Fatal(err)
	}
	s, err := c.Login(ctx, appsuite.Credentials{Name: "books@school17", Password: "secret"})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Logout(context.WithoutCancel(ctx))

	// A book that everybody in the context may read, and one entry.
	folder, err := s.CreateFolder(ctx, appsuite.CreateFolder{
		Parent: appsuite.PublicFolder, Title: "Class 7b",
		Permissions: []appsuite.Permission{
			{Entity: appsuite.UserEntity(s.UserID()), Rights: appsuite.Owner()},
			{Entity: appsuite.Everybody(), Rights: appsuite.ReadOnly()},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	_, _, err = s.CreateContact(ctx, appsuite.CreateContact{Folder: folder, Fields: appsuite.Fields{
		appsuite.DisplayName: "Anna Muster", appsuite.Email1: "anna.muster@school.example", appsuite.UserField01: "id-4711",
	}})
	if err != nil {
		log.Fatal(err)
	}

	for c, err := range s.Contacts(ctx, folder, appsuite.DisplayName, appsuite.Email1) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(c.Fields[appsuite.DisplayName], c.Fields[appsuite.Email1])
	}
	// Output: Anna Muster anna.muster@school.example
}

// Many writes go out in few requests; each is reported for itself.
func ExampleSession_Write() {
	srv := simulated()
	defer srv.Close()
	ctx := context.Background()
	c, err := appsuite.New(srv.HTTPURL, nil)
	if err != nil {
		log.Fatal(err)
	}
	s, err := c.Login(ctx, appsuite.Credentials{Name: "books@school17", Password: "secret"})
	if err != nil {
		log.Fatal(err)
	}
	owner := []appsuite.Permission{{Entity: appsuite.UserEntity(s.UserID()), Rights: appsuite.Owner()}}
	results, err := s.Write(ctx, []appsuite.Op{
		appsuite.CreateFolder{Parent: appsuite.PublicFolder, Title: "Class 7a", Permissions: owner},
		appsuite.CreateFolder{Parent: appsuite.PublicFolder, Title: "Contacts", Permissions: owner}, // a name that OX keeps
		appsuite.DeleteContact{Folder: "4711", ID: "1", Timestamp: appsuite.Unconditional},
		appsuite.CreateFolder{Parent: appsuite.PublicFolder, Title: "Class 7b", Permissions: owner},
	})
	if err != nil {
		log.Fatal(err) // not all were answered
	}
	for _, r := range results {
		switch {
		case errors.Is(r.Err, appsuite.ErrNotFound):
			fmt.Println("gone already")
		case r.Err != nil:
			e, _ := errors.AsType[*appsuite.Error](r.Err)
			fmt.Println(e.Kind, e.Code)
		default:
			fmt.Println("done")
		}
	}
	fmt.Println("requests:", c.Stats().Total(), "with the login")
	// Output:
	// done
	// invalid input FLD-1033
	// gone already
	// done
	// requests: 2 with the login
}

func ExampleWriteCSV() {
	contacts := []appsuite.Contact{
		{Fields: appsuite.Fields{appsuite.FamilyName: "Muster", appsuite.GivenName: "Anna",
			appsuite.Email1: "anna@school.example"}},
		{Fields: appsuite.Fields{appsuite.FamilyName: "O'Neill, Jr.", appsuite.GivenName: "Zoë"}},
	}
	var file bytes.Buffer
	cols := []appsuite.Column{appsuite.FamilyName, appsuite.GivenName, appsuite.Email1}
	if err := appsuite.WriteCSV(&file, cols, slices.Values(contacts)); err != nil {
		log.Fatal(err)
	}
	fmt.Print(file.String())
	// Output:
	// Sur name,Given name,Email 1
	// Muster,Anna,anna@school.example
	// "O'Neill, Jr.",Zoë,
}
