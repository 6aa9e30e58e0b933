//go:build linux

package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// tool runs one tool once, and gives its time and peak memory.
func (b *bench) tool(tool, user string, round int) (time.Duration, int64, error) {
	return b.measure(tool, b.command(tool, user, round))
}

func (b *bench) measure(tool string, cmd *exec.Cmd) (time.Duration, int64, error) {
	if b.ctx.Err() != nil {
		return 0, 0, context.Cause(b.ctx)
	}
	out := new(strings.Builder)
	cmd.Stdout, cmd.Stderr = out, out
	start := time.Now()
	err := cmd.Start()
	if err != nil {
		return 0, 0, err
	}
	defer context.AfterFunc(b.ctx, func() { cmd.Process.Kill() })()
	ended, watched := make(chan struct{}), make(chan int64)
	go func() { watched <- peakMemory(cmd.Process.Pid, ended) }()
	err = cmd.Wait()
	took := time.Since(start)
	close(ended)
	peak := <-watched
	if b.ctx.Err() != nil {
		return 0, 0, context.Cause(b.ctx)
	}
	if err != nil {
		os.WriteFile(filepath.Join(os.TempDir(), "migrate-bench-"+tool+".log"), []byte(out.String()), 0o600)
		err = fmt.Errorf("exit %d", cmd.ProcessState.ExitCode())
	}
	return took, peak, err
}

// peakMemory reads the kernel's high-water mark of a process until it ends.
// The mark that wait gives (ru_maxrss) is of no use: it begins with the memory of this
// program, whose child the process was.
func peakMemory(pid int, ended <-chan struct{}) (peak int64) {
	for {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		for line := range strings.Lines(string(status)) {
			if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				var kb int64
				fmt.Sscan(rest, &kb)
				peak = max(peak, kb<<10)
			}
		}
		select {
		case <-ended:
			return peak
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (b *bench) command(tool, user string, round int) *exec.Cmd {
	host, port, _ := strings.Cut(b.fromAddr, ":")
	target := targetOf(user, tool, round)
	switch tool {
	case "migrate", "before":
		bin, state := b.bin, filepath.Join(b.dir, "state")
		if tool == "before" {
			bin, state = b.before, filepath.Join(b.dir, "state-before")
		}
		return exec.Command(bin, "-insecure", "-from", fmt.Sprintf("imap://%s:%s@%s", user, password, b.fromAddr),
			"-to", fmt.Sprintf("imap://%s:%s@%s", target, password, b.toAddr), "-state", state)
	case "imapsync":
		thost, tport, _ := strings.Cut(b.toAddr, ":")
		tmp := filepath.Join(b.dir, "imapsync-"+target)
		os.MkdirAll(tmp, 0o700)
		return exec.Command("perl", b.imapsync, "--host1", host, "--port1", port, "--user1", user, "--password1", password,
			"--host2", thost, "--port2", tport, "--user2", target, "--password2", password, "--nossl1", "--nossl2", "--notls1",
			"--notls2", "--nolog", "--noreleasecheck", "--automap", "--delete2", "--tmpdir", tmp,
			"--pidfile", filepath.Join(tmp, "pid"))
	case "mbsync":
		thost, tport, _ := strings.Cut(b.toAddr, ":")
		store := func(name, host, port, user, more string) string {
			return fmt.Sprintf("IMAPStore %s\nHost %s\nPort %s\nUser %s\nPass %s\nSSLType None\nAuthMechs LOGIN\n"+
				"PipelineDepth 20\n%s\n", name, host, port, user, password, more)
		}
		dir := filepath.Join(b.dir, "mbsync-"+target)
		os.MkdirAll(dir, 0o700)
		conf := store("far", host, port, user, "") + store("near", thost, tport, target, "") +
			"Channel c\nFar :far:\nNear :near:\nPatterns * !Drafts !Junk !Sent !Trash\nSync Pull\nCreate Near\nRemove None\n" +
			"Expunge Near\nCopyArrivalDate yes\nSyncState " + dir + "/\n"
		file := filepath.Join(dir, "rc")
		os.WriteFile(file, []byte(conf), 0o600)
		return exec.Command("mbsync", "-c", file, "c")
	}
	args := []string{"-c", b.to.ConfigFile(), "-o", "mail_fsync=never", "-o", "imapc_host=" + host, "-o",
		"imapc_port=" + port, "-o", "imapc_user=" + user,
		"-o", "imapc_password=" + password, "-o", "imapc_features=rfc822.size fetch-headers"}
	if b.oldNames {
		args = append(args, "-o", "imapc_list_prefix=INBOX")
	}
	args = append(args, "backup", "-R", "-u", target, "imapc:")
	return exec.Command("doveadm", args...)
}

func targetOf(user, tool string, round int) string {
	if round == 0 {
		return user + tool
	}
	return fmt.Sprintf("%s%s%d", user, tool, round)
}
