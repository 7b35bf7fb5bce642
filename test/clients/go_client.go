// SPDX-License-Identifier: GPL-2.0-only

// A program that uses go-criu as programs do: go_client CRIU COMMAND [ARG]... prints results, and notifications as they come.
// `work` is a Go program to be dumped: it prints whether its own result is right.
package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	criu "github.com/checkpoint-restore/go-criu"
	"github.com/checkpoint-restore/go-criu/rpc"
)

type heard struct {
	refuse string
}

func (h heard) say(stage string) error {
	fmt.Println("notified:", stage)
	if stage == h.refuse {
		return errors.New("refused")
	}
	return nil
}

func (h heard) PreDump() error              { return h.say("pre-dump") }
func (h heard) PostDump() error             { return h.say("post-dump") }
func (h heard) PreRestore() error           { return h.say("pre-restore") }
func (h heard) PostRestore(pid int32) error { return h.say(fmt.Sprint("post-restore ", pid)) }
func (h heard) NetworkLock() error          { return h.say("network-lock") }
func (h heard) NetworkUnlock() error        { return h.say("network-unlock") }
func (h heard) SetupNamespaces(pid int32) error {
	return h.say("setup-namespaces")
}
func (h heard) PostSetupNamespaces() error { return h.say("post-setup-namespaces") }
func (h heard) PostResume() error          { return h.say("post-resume") }

func options(dir string, log string) *rpc.CriuOpts {
	images, err := os.Open(dir)
	if err != nil {
		fmt.Println(err)
		os.Exit(2)
	}
	fd, level := int32(images.Fd()), int32(4)
	return &rpc.CriuOpts{ImagesDirFd: &fd, LogLevel: &level, LogFile: &log}
}

func dump(c *criu.Criu, args []string) error {
	opts := options(args[1], "dump.log")
	number, _ := strconv.Atoi(args[0])
	pid := int32(number)
	opts.Pid = &pid
	h := heard{}
	if len(args) > 2 {
		h.refuse = args[2]
	}
	return c.Dump(opts, h)
}

func restore(c *criu.Criu, args []string) error {
	return c.Restore(options(args[0], "restore.log"), heard{})
}

func features(c *criu.Criu) error {
	yes := true
	got, err := c.FeatureCheck(&rpc.CriuFeatures{MemTrack: &yes, LazyPages: &yes, PidfdStore: &yes})
	if err == nil {
		fmt.Println("features:", got.MemTrack != nil, got.LazyPages != nil, got.PidfdStore != nil)
	}
	return err
}

func version(c *criu.Criu) error {
	number, err := c.GetCriuVersion()
	if err != nil {
		return err
	}
	enough, err := c.IsCriuAtLeast(31600)
	fmt.Println("version:", number, enough)
	return err
}

// The connection is there before the request.
func prepared(c *criu.Criu) error {
	if err := c.Prepare(); err != nil {
		return err
	}
	defer c.Cleanup()
	number, err := c.GetCriuVersion()
	fmt.Println("version:", number)
	return err
}

// Goroutines on several threads, timers, channels and garbage.
func work(rounds int) {
	var all sync.WaitGroup
	sums := make(chan [32]byte, 4)
	ticker := time.NewTicker(5 * time.Millisecond)
	fmt.Println("started")
	for g := 0; g < 8; g++ {
		all.Add(1)
		go func(g int) {
			defer all.Done()
			sum := sha256.Sum256([]byte{byte(g)})
			for i := 0; i < rounds; i++ {
				garbage := append(make([]byte, 20000), sum[:]...)
				sum = sha256.Sum256(garbage)
				time.Sleep(time.Millisecond)
			}
			sums <- sum
		}(g)
	}
	go func() {
		all.Wait()
		close(sums)
	}()
	var total [32]byte
	for sum := range sums {
		<-ticker.C
		for i := range total {
			total[i] ^= sum[i]
		}
	}
	fmt.Printf("all is well %x\n", total)
}

func main() {
	if os.Args[1] == "work" {
		rounds, _ := strconv.Atoi(os.Args[2])
		work(rounds)
		return
	}
	c := criu.MakeCriu()
	c.SetCriuPath(os.Args[1])
	args := os.Args[3:]
	var err error
	switch os.Args[2] {
	case "version":
		err = version(c)
	case "prepared":
		err = prepared(c)
	case "features":
		err = features(c)
	case "dump":
		err = dump(c, args)
	case "restore":
		err = restore(c, args)
	}
	fmt.Printf("%s: %v\n", os.Args[2], err)
}
