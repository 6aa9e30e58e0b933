package follow

import (
	"context"
	"io"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/cli"
)

const help = `watch completes people as soon as they change in the directory: it follows
Univention's notifier, or polls, and once it is quiet for a moment runs the main job
for those who have changed, and the address books.

Usage:

  watch [-people N] [-pupils N]
      Without -config: simulated servers in this process. Pupils are entered by hand
      over UDM's API, and it is measured when each has a place in Open-Xchange, a
      mailbox, and stands in the book of the class.
  watch -config district.toml
      Says of each change what would be done. Writes nothing.
  watch -config district.toml -apply
      Does it, until it is interrupted. Started again it goes on where it was.
  watch -config district.toml -apply -once
      Looks at everybody once, does what is missing, and ends.

Who has a record in the export is completed as the next night's run would do it. Who
has none, because somebody has entered the account by hand, is told only, unless
[watch] adopt names the role: then the account gets a record id that begins with
"hand-", and with it everything that others have. It stays as long as the account is
there and its log-in is open; when the export brings the person, a [[link]] with that
id joins the two. Nobody leaves, is moved or purged because of a change alone: that is
the night's work.

Each run is planned from all that is known, under all limits of [guards], holds the
district's lease (as provision and addressbooks do, and waits for them), and is kept
under runs/ in the state folder if it has done anything. watch.json there says how far
everything is done.

Exit status: 0 ended by an interrupt, or with -once all done; 1 failed; 2 bad flags or
configuration, nothing was done; 3 with -once: finished, but something was held back
or failed for single people.

Flags:

`

type options struct {
	config                  string
	apply, once, breakLease bool
	people, pupils          int
	now                     schoolmail.Date
}

// Main is the program: it parses the arguments (without the program's name),
// runs, and returns the exit status.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	fs := cli.NewFlags("watch", help, stdout, stderr)
	var o options
	fs.StringVar(&o.config, "config", "", "configuration `file` of the site; without it the sandbox is used")
	fs.BoolVar(&o.apply, "apply", false, "do what is to be done")
	fs.BoolVar(&o.once, "once", false, "look at everybody once and end")
	fs.BoolVar(&o.breakLease, "break-lease", false, "take the district from another run, which is known to be gone")
	fs.TextVar(&o.now, "now", schoolmail.Date(0),
		"`day` to plan for, YYYY-MM-DD, where [site] says sandbox; default today")
	fs.IntVar(&o.people, "people", 60, "sandbox: `number` of people in the district")
	fs.IntVar(&o.pupils, "pupils", 3, "sandbox: `number` of pupils to enter by hand")
	if status, ok := fs.Parse(args); !ok {
		return status
	}
	switch {
	case o.config == "" && (o.apply || o.once || !o.now.IsZero()):
		return fs.Misused("-apply, -once and -now need -config")
	case o.breakLease && !o.apply:
		return fs.Misused("-break-lease goes with -apply")
	case o.people < 20 || o.people > 200000:
		return fs.Misused("-people %d: expected 20 to 200000", o.people)
	case o.pupils < 1 || o.pupils > o.people:
		return fs.Misused("-pupils %d: expected 1 to the number of people", o.pupils)
	}
	if o.config == "" {
		if err := demonstrate(ctx, stdout, stderr, o.people, o.pupils); err != nil {
			return fs.Fail(cli.Failed, err)
		}
		return cli.Done
	}
	f, warnings, err := open(o, stdout)
	if err != nil {
		return fs.Fail(cli.Failed, err)
	}
	defer f.close()
	fs.Warn(warnings...)
	if o.once {
		left, status := f.work(ctx, batch{everybody: true, books: true})
		if !left.empty() {
			status = cli.Worst(status, cli.Held)
		}
		return status
	}
	if err := f.follow(ctx); err != nil {
		return fs.Fail(cli.Failed, err)
	}
	return cli.Done
}

// clock is the time in front of each line.
func clock() string { return time.Now().Format("15:04:05") }
