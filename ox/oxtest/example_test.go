package oxtest_test

import (
	"context"
	"fmt"

	"github.com/ictmedia/schoolmail/ox"
	"github.com/ictmedia/schoolmail/ox/oxtest"
)

// A program's own test: a server with a context, a fault that goes away, and what was
// called.
func ExampleRun() {
	err := oxtest.Run(func(ctx context.Context, i *oxtest.Instance) error {
		if err := i.State().AddContext(oxtest.Context{ID: 42, Name: "secondary1"}); err != nil {
			return err
		}
		i.Inject(oxtest.Fault{Service: "OXUserService", Op: "exists", Times: 1, Failure: oxtest.Conflict})
		client, err := ox.New([]string{i.SOAPURL}, ox.Credentials{Login: "oxadminmaster", Password: "secret"}, nil)
		if err != nil {
			return err
		}
		admin := ox.Credentials{Login: "oxadmin", Password: "secret"}
		there, err := client.Context(42, admin).Users.Exists(ctx, ox.UserRef{Name: "mia"})
		fmt.Println("mia is there:", there)
		for _, c := range i.Calls() {
			fmt.Println(c)
		}
		return err
	}, oxtest.WithVersion(oxtest.Version710))
	fmt.Println(err)
	// Output:
	// mia is there: false
	// OXUserService.exists context 42 mia: StorageException
	// OXUserService.exists context 42 mia
	// <nil>
}
