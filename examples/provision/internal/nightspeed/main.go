//go:build unix

// Command nightspeed measures a night without changes: it starts the servers of a
// made-up district in a process of their own, lets provision make everybody, and then
// sets the time of a further run, in a process of its own, against that of a client
// that sends the same requests with the same parallelism and discards the answers.
// Both take turns, so that whatever else the machine does hinders both.
//
//	go run ./examples/provision/internal/nightspeed -people 32000
//
// It prints times, ratio, peak memory and what the servers were asked to change, and
// ends with status 1 if that is above what a night may take.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ictmedia/schoolmail/examples/provision/internal/program"
	"github.com/ictmedia/schoolmail/internal/cli"
)

// What a night without changes may take.
const (
	maxRatio  = 1.5
	maxMemory = 200 // MiB
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// The parts that this program plays in processes of their own.
const (
	asServers = "servers"
	asNight   = "night"
	asReplay  = "replay"
)

// profileFile is the environment's name for where a night leaves its profile.
const profileFile = "SCHOOLMAIL_NIGHT_PROFILE"

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 {
		switch args[0] {
		case asServers:
			return servers(ctx, args[1:], os.Stdin, stdout, stderr)
		case asNight:
			return night(ctx, args[1:], stdout, stderr)
		case asReplay:
			return replay(ctx, args[1:], stderr)
		}
	}
	fs := flag.NewFlagSet("nightspeed", flag.ContinueOnError)
	fs.SetOutput(stderr)
	var m measure
	fs.IntVar(&m.people, "people", 32_000, "`number` of people")
	fs.IntVar(&m.times, "times", 3, "`number` of nights, of which the quickest counts")
	fs.StringVar(&m.profile, "cpuprofile", "", "write a profile of the last night to this `file`")
	if fs.Parse(args) != nil {
		return 2
	}
	m.stdout, m.stderr = stdout, stderr
	if err := m.do(ctx); err != nil {
		fmt.Fprintln(stderr, "nightspeed:", err)
		return 1
	}
	return 0
}

// night is provision, in a process of its own.
func night(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if file := os.Getenv(profileFile); file != "" {
		f, err := os.Create(file)
		if err == nil {
			err = pprof.StartCPUProfile(f)
		}
		if err != nil {
			fmt.Fprintln(stderr, err)
			return 1
		}
		defer f.Close()
		defer pprof.StopCPUProfile()
	}
	program.CollectLate()
	return program.Main(ctx, args, stdout, stderr)
}

// measure is one measurement.
type measure struct {
	people, times  int
	profile        string
	stdout, stderr io.Writer

	dir     string
	day     string
	servers struct {
		in  io.WriteCloser
		out *bufio.Reader
	}
}

// taken is what a process has used.
type taken struct {
	wall, processor time.Duration
	peak            int64 // bytes
}

func (m *measure) do(ctx context.Context) (err error) {
	if m.dir, err = os.MkdirTemp("", "nightspeed"); err != nil {
		return err
	}
	defer os.RemoveAll(m.dir)
	stop, err := m.startServers(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	fmt.Fprintf(m.stdout, "making %d people\n", m.people)
	if _, err := m.night(ctx, "district.toml", nil); err != nil {
		return err
	}
	recorded := filepath.Join(m.dir, "requests.json")
	if err := m.record(ctx, recorded); err != nil {
		return err
	}
	var ours, yard taken
	var first, asked counts
	for i := range m.times {
		var env []string
		if m.profile != "" && i == m.times-1 {
			env = []string{profileFile + "=" + m.profile}
		}
		before, err := m.count()
		if err != nil {
			return err
		}
		o, err := m.night(ctx, "district.toml", env)
		if err != nil {
			return err
		}
		between, err := m.count()
		if err != nil {
			return err
		}
		y, err := m.process(ctx, nil, asReplay, recorded)
		if err != nil {
			return err
		}
		after, err := m.count()
		if err != nil {
			return err
		}
		if i == 0 {
			first = before
		}
		asked = between.less(before)
		if again := after.less(between); !maps.Equal(asked.Requests, again.Requests) {
			return fmt.Errorf("the client that is to send the same has sent other requests: %v, not %v", again.Requests,
				asked.Requests)
		}
		fmt.Fprintf(m.stdout, "night %.2f s, %.2f s of processor time; "+
			"the client that discards %.2f s, %.2f s; %.2f x; peak %d MiB\n",
			o.wall.Seconds(), o.processor.Seconds(), y.wall.Seconds(), y.processor.Seconds(),
			o.wall.Seconds()/y.wall.Seconds(), o.peak>>20)
		if i == 0 || o.wall < ours.wall {
			ours.wall = o.wall
		}
		if i == 0 || y.wall < yard.wall {
			yard.wall = y.wall
		}
		ours.peak = max(ours.peak, o.peak)
	}
	last, err := m.count()
	if err != nil {
		return err
	}
	return m.judge(ours, yard, asked, last.less(first).Writes)
}

// judge prints the outcome and says what is above the limits.
func (m *measure) judge(ours, yard taken, asked counts, writes map[string]int) error {
	ratio, peak := ours.wall.Seconds()/yard.wall.Seconds(), ours.peak>>20
	var requests []string
	for _, server := range slices.Sorted(maps.Keys(asked.Requests)) {
		requests = append(requests, fmt.Sprintf("%d to %s", asked.Requests[server], server))
	}
	fmt.Fprintf(m.stdout, "%d people, nothing changed: quickest night %.2f s, quickest client that discards %.2f s: "+
		"%.2f x; peak %d MiB; requests: %s, %d MB of answers from Open-Xchange; %d writes\n", m.people,
		ours.wall.Seconds(), yard.wall.Seconds(), ratio, peak, strings.Join(requests, ", "), asked.Answers>>20, len(writes))
	var errs []error
	if ratio > maxRatio {
		errs = append(errs, fmt.Errorf("a night takes %.2f times as long, limit %.1f", ratio, maxRatio))
	}
	if peak > maxMemory {
		errs = append(errs, fmt.Errorf("a night takes %d MiB, limit %d", peak, maxMemory))
	}
	if len(writes) > 0 {
		errs = append(errs, fmt.Errorf("a night without changes has written: %v", writes))
	}
	return errors.Join(errs...)
}

// night runs provision with a district file of the folder.
func (m *measure) night(ctx context.Context, config string, env []string) (taken, error) {
	return m.process(ctx, env, asNight, "-config", filepath.Join(m.dir, "district", config), "-apply", "-q",
		"-now", m.day, "-any-day")
}

// process plays a part in a process of its own.
func (m *measure) process(ctx context.Context, env []string, args ...string) (taken, error) {
	cmd, err := m.command(ctx, args...)
	if err != nil {
		return taken{}, err
	}
	var out strings.Builder
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), env...), &out, &out
	start := time.Now()
	// Among so many made-up people some are held for looking like somebody else.
	if err := cmd.Run(); err != nil && cmd.ProcessState.ExitCode() != cli.Held {
		return taken{}, fmt.Errorf("%s: %w\n%s", args[0], err, &out)
	}
	t := taken{wall: time.Since(start), processor: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		t.peak = int64(u.Maxrss) << 10 // Linux and the BSDs count in KiB
	}
	return t, nil
}

func (m *measure) command(ctx context.Context, args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.WaitDelay = 10 * time.Second
	return cmd, nil
}

// startServers starts the district's servers.
func (m *measure) startServers(ctx context.Context) (stop func() error, err error) {
	cmd, err := m.command(ctx, asServers, "-people", fmt.Sprint(m.people), "-dir", filepath.Join(m.dir, "district"))
	if err != nil {
		return nil, err
	}
	cmd.Stderr = m.stderr
	if m.servers.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	m.servers.out = bufio.NewReader(out)
	stop = func() error {
		err := m.servers.in.Close()
		return errors.Join(err, cmd.Wait())
	}
	line, err := m.servers.out.ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the servers did not start: %w", err), stop())
	}
	m.day = strings.TrimSpace(line)
	return stop, nil
}

// count asks the servers what they were asked so far.
func (m *measure) count() (c counts, err error) {
	if _, err := io.WriteString(m.servers.in, "\n"); err != nil {
		return c, err
	}
	line, err := m.servers.out.ReadBytes('\n')
	if err != nil {
		return c, fmt.Errorf("the servers have ended: %w", err)
	}
	return c, json.Unmarshal(line, &c)
}
