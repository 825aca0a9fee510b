// What Go's runtime does to a processor and its kernel: goroutines on many threads, preemption by signals in loops without calls,
// collections all the time, stacks that grow and are copied, nil dereferences that become panics, timers, signals, sockets and
// processes. `work [PART…]`; output does not depend on scheduling.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"math/big"
	"math/bits"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"reflect"
	"runtime"
	"runtime/debug"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type node struct {
	left, right *node
	value       int
}

func build(depth, value int) *node {
	if depth == 0 {
		return &node{value: value}
	}
	return &node{build(depth-1, 2*value), build(depth-1, 2*value+1), value}
}

func (n *node) sum() int {
	if n == nil {
		return 0
	}
	return n.value + n.left.sum() + n.right.sum()
}

// Trees, maps and slices while the collector runs all the time.
func garbage() {
	defer debug.SetGCPercent(debug.SetGCPercent(5))
	keep := build(10, 1)
	var wg sync.WaitGroup
	results := make([]int, 8)
	for i := range results {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			m := map[string][]int{}
			for k := 0; k < 400; k++ {
				key := fmt.Sprint("k", k%37)
				m[key] = append(m[key], k*i)
				if k%50 == 0 {
					results[i] += build(6, k).sum()
				}
			}
			for _, v := range m {
				for _, x := range v {
					results[i] += x
				}
			}
		}(i)
	}
	wg.Wait()
	finalized := make(chan int, 20)
	for i := 0; i < 20; i++ {
		runtime.SetFinalizer(&node{value: i}, func(n *node) { finalized <- n.value })
	}
	total := 0
	for i := 0; i < 20; i++ {
	again:
		runtime.GC()
		select {
		case v := <-finalized:
			total += v
		case <-time.After(10 * time.Millisecond):
			goto again
		}
	}
	fmt.Println("garbage", results, keep.sum(), total)
}

// Loops without calls on more threads than processors: only a signal stops them.
func preemption() {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	var stop int32
	var wg sync.WaitGroup
	for i := 0; i < 6; i++ {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			x, f := uint64(i+1), 1.5
			for atomic.LoadInt32(&stop) == 0 {
				for k := 0; k < 1<<20; k++ {
					x ^= x << 13
					x ^= x >> 7
					x ^= x << 17
					f = f*1.0000001 + float64(k&1)
				}
				if math.IsNaN(f) {
					fmt.Println("nan")
				}
			}
		}(i)
	}
	// This goroutine gets its turns although all processors are busy; collections stop the world.
	for i := 0; i < 5; i++ {
		time.Sleep(time.Millisecond)
		runtime.GC()
	}
	atomic.StoreInt32(&stop, 1)
	wg.Wait()
	// Each from its first turn on computes the same.
	check := func(n uint64) uint64 {
		x := n
		for k := 0; k < 1<<20; k++ {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
		}
		return x
	}
	done := make(chan uint64, 6)
	for i := 1; i <= 6; i++ {
		go func(i int) { done <- check(uint64(i)) }(i)
	}
	runtime.GC()
	var xor uint64
	for i := 0; i < 6; i++ {
		xor ^= <-done
	}
	fmt.Println("preemption", xor)
}

func channels() {
	const n = 2000
	numbers := make(chan int)
	go func() {
		for i := 2; i < n; i++ {
			numbers <- i
		}
		close(numbers)
	}()
	// A chain of filters, one goroutine for each prime.
	var primes []int
	in := numbers
	for {
		p := <-in
		if len(primes) >= 40 {
			for range in {
			}
			break
		}
		primes = append(primes, p)
		out := make(chan int)
		go func(in, out chan int, p int) {
			for x := range in {
				if x%p != 0 {
					out <- x
				}
			}
			close(out)
		}(in, out, p)
		in = out
	}
	a, b, quit := make(chan int), make(chan string, 3), make(chan struct{})
	go func() {
		for i := 0; i < 300; i++ {
			if i%3 == 0 {
				b <- "x"
			} else {
				a <- i
			}
		}
		close(quit)
	}()
	sum, text := 0, 0
loop:
	for {
		select {
		case v := <-a:
			sum += v
		case s := <-b:
			text += len(s)
		case <-quit:
			for len(b) > 0 {
				text += len(<-b)
			}
			break loop
		}
	}
	var mu sync.RWMutex
	var once sync.Once
	cond, ready, count := sync.NewCond(&sync.Mutex{}), false, 0
	var wg sync.WaitGroup
	for i := 0; i < 50; i++ {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			cond.L.Lock()
			for !ready {
				cond.Wait()
			}
			cond.L.Unlock()
			once.Do(func() { count += 1000 })
			for k := 0; k < 20; k++ {
				if k%4 == 0 {
					mu.Lock()
					count++
					mu.Unlock()
				} else {
					mu.RLock()
					_ = count
					mu.RUnlock()
				}
				runtime.Gosched()
			}
		}(i)
	}
	cond.L.Lock()
	ready = true
	cond.Broadcast()
	cond.L.Unlock()
	wg.Wait()
	fmt.Println("channels", primes[len(primes)-1], sum, text, count)
}

var null *node
var zero int
var unknown interface{} = "text"

func recovered(f func()) (s string) {
	defer func() {
		r := recover()
		if e, ok := r.(runtime.Error); ok {
			s = e.Error()
		} else {
			s = fmt.Sprint(r)
		}
	}()
	f()
	return "none"
}

func panics() {
	slice, index := make([]int, 3), 5
	var m map[string]int
	inaccessible, _ := syscall.Mmap(-1, 0, 4096, syscall.PROT_NONE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	kinds := map[string]int{}
	for i := 0; i < 50; i++ {
		for _, f := range []func(){
			func() { null.value = 1 },
			func() { fmt.Print(null.left.value) },
			func() { fmt.Print(1 / zero) },
			func() { slice[index] = 1 },
			func() { _ = slice[index:] },
			func() { m["x"] = 1 },
			func() { _ = unknown.(int) },
			func() { panic(errors.New("mine")) },
			func() { close((chan int)(nil)) },
			func() { _ = make([]int, zero-1) },
			func() { var f func(); f() },
			func() { defer func() { panic("second") }(); panic("first") },
			func() {
				old := debug.SetPanicOnFault(true)
				defer debug.SetPanicOnFault(old)
				inaccessible[0] = 1
			},
		} {
			kinds[recovered(f)]++
		}
	}
	var names []string
	for k := range kinds {
		names = append(names, k)
	}
	sort.Strings(names)
	for _, k := range names {
		fmt.Println("panic", k, kinds[k])
	}
	// From other goroutines, too, and deep below many frames with deferred calls.
	var deep func(n int) int
	deep = func(n int) (r int) {
		defer func() { r += n }()
		if n == 0 {
			return null.value
		}
		return deep(n - 1)
	}
	var wg sync.WaitGroup
	var caught int32
	for i := 0; i < 20; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer func() {
				if recover() != nil {
					atomic.AddInt32(&caught, 1)
				}
			}()
			deep(200)
		}()
	}
	wg.Wait()
	fmt.Println("panics", caught)
}

func ackermann(m, n int, path *[4]int) int {
	var local [16]int
	local[n&15] = m
	p := &local
	path[m&3]++
	switch {
	case m == 0:
		return n + 1
	case n == 0:
		return ackermann(m-1, 1, path)
	}
	r := ackermann(m-1, ackermann(m, n-1, path), path)
	if p[n&15] != m {
		panic("the stack was copied badly")
	}
	return r
}

func down(n int, at *int) int {
	var room [64]int
	room[n&63] = n
	*at += n
	if n == 0 {
		return 0
	}
	return down(n-1, at) + room[n&63] - n + 1
}

func stacks() {
	var wg sync.WaitGroup
	var results [6]int
	for i := range results {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			at := 0
			results[i] = down(3000*(i+1), &at) + at%1000
			if i%2 == 0 {
				runtime.GC()
			}
			var path [4]int
			results[i] += ackermann(2, 60, &path) + path[1]
		}(i)
	}
	wg.Wait()
	fmt.Println("stacks", results)
}

type shape interface{ Area() float64 }
type square struct {
	Side float64 `json:"side"`
	Name string  `json:"name,omitempty"`
}
type circle struct{ R float64 }

func (s square) Area() float64  { return s.Side * s.Side }
func (c *circle) Area() float64 { return math.Pi * c.R * c.R }

type pair[T any] struct{ a, b T }

func larger[T int | float64](p pair[T]) T {
	if p.a > p.b {
		return p.a
	}
	return p.b
}

func library() {
	area := 0.0
	for i := 1; i < 200; i++ {
		var s shape = square{Side: float64(i)}
		if i%2 == 0 {
			s = &circle{float64(i)}
		}
		area += s.Area()
	}
	v := reflect.ValueOf(square{2, "sq"})
	for i := 0; i < v.NumField(); i++ {
		fmt.Println(v.Type().Field(i).Name, v.Type().Field(i).Tag.Get("json"), v.Field(i))
	}
	out := reflect.ValueOf(larger[int]).Call([]reflect.Value{reflect.ValueOf(pair[int]{3, 9})})
	made := reflect.MakeFunc(reflect.TypeOf(func(int, string) string { return "" }), func(a []reflect.Value) []reflect.Value {
		return []reflect.Value{reflect.ValueOf(fmt.Sprint(a[1], a[0]))}
	}).Interface().(func(int, string) string)
	text, _ := json.Marshal(map[string]interface{}{"a": []int{1, 2}, "b": square{1.5, ""}, "c": nil, "d": 1e21})
	var back map[string]interface{}
	err := json.Unmarshal(text, &back)
	f := new(big.Int).MulRange(1, 200)
	fmt.Println("library", area, out[0], made(7, "seven"), string(text), len(back), err, f.BitLen(), new(big.Int).Mod(f, big.NewInt(1000003)).String(),
		crc32.ChecksumIEEE(text), bits.OnesCount64(0xdeadbeef), bits.Reverse32(77), strings.ToUpper("größe"), larger(pair[float64]{2.5, math.Inf(-1)}),
		math.FMA(2, 3, 0.1), math.Floor(-2.5), math.Sqrt(2), math.Sin(1), uint8(math.Float64bits(0.1)))
}

func timers() {
	var fired []int
	var mu sync.Mutex
	done := make(chan bool, 10)
	for i := 4; i >= 0; i-- {
		i := i
		time.AfterFunc(time.Duration(i)*30*time.Millisecond, func() {
			mu.Lock()
			fired = append(fired, i)
			mu.Unlock()
			done <- true
		})
	}
	for i := 0; i < 5; i++ {
		<-done
	}
	sort.Ints(fired)
	t := time.NewTicker(time.Millisecond)
	for i := 0; i < 10; i++ {
		<-t.C
	}
	t.Stop()
	stopped := time.NewTimer(time.Hour).Stop()
	fmt.Println("timers", fired, stopped)
}

func signals() {
	c := make(chan os.Signal, 100)
	signal.Notify(c, syscall.SIGUSR1, syscall.SIGWINCH)
	got := map[os.Signal]int{}
	for i := 0; i < 100; i++ {
		s := syscall.SIGUSR1
		if i%2 == 0 {
			s = syscall.SIGWINCH
		}
		syscall.Kill(os.Getpid(), s)
		got[<-c]++
	}
	signal.Stop(c)
	signal.Ignore(syscall.SIGUSR1)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	fmt.Println("signals", got[syscall.SIGUSR1], got[syscall.SIGWINCH])
}

func network() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println("network", err)
		return
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
	var wg sync.WaitGroup
	var total int64
	for i := 0; i < 10; i++ {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				fmt.Println("network", err)
				return
			}
			message := bytes.Repeat([]byte{byte(i + 1)}, 5000)
			go c.Write(message)
			back := make([]byte, len(message))
			n, _ := io.ReadFull(c, back)
			if bytes.Equal(back, message) {
				atomic.AddInt64(&total, int64(n))
			}
			c.Close()
		}(i)
	}
	wg.Wait()
	l.Close()
	r, w, _ := os.Pipe()
	go func() { fmt.Fprint(w, strings.Repeat("pipe ", 30000)); w.Close() }()
	b, _ := io.ReadAll(r)
	fmt.Println("network", total, len(b))
}

func processes() {
	for i := 0; i < 3; i++ {
		out, err := exec.Command("/bin/echo", "child", fmt.Sprint(i)).Output()
		fmt.Print("processes ", string(out))
		if err != nil {
			fmt.Println(err)
		}
	}
	err := exec.Command("/bin/sh", "-c", "exit 7").Run()
	fmt.Println("processes", err)
	c := exec.Command("/bin/cat")
	c.Stdin = strings.NewReader("through a pipe")
	out, _ := c.CombinedOutput()
	fmt.Println("processes", string(out))
}

func goroutines() {
	const n = 3000
	start, done := make(chan bool), make(chan int, n)
	for i := 0; i < n; i++ {
		go func(i int) { <-start; done <- i }(i)
	}
	all := runtime.NumGoroutine() > n
	close(start)
	sum := 0
	for i := 0; i < n; i++ {
		sum += <-done
	}
	// Threads of their own.
	var wg sync.WaitGroup
	ids := make(chan int, 8)
	hold := make(chan bool)
	for i := 0; i < 8; i++ {
		wg.Add(1)
		go func() {
			runtime.LockOSThread()
			ids <- syscall.Gettid()
			<-hold
			wg.Done()
		}()
	}
	seen := map[int]bool{}
	for i := 0; i < 8; i++ {
		seen[<-ids] = true
	}
	close(hold)
	wg.Wait()
	fmt.Println("goroutines", all, sum, len(seen))
}

func main() {
	parts := []struct {
		name string
		f    func()
	}{
		{"garbage", garbage}, {"preemption", preemption}, {"channels", channels}, {"panics", panics}, {"stacks", stacks},
		{"library", library}, {"timers", timers}, {"signals", signals}, {"network", network}, {"processes", processes}, {"goroutines", goroutines},
	}
	for _, p := range parts {
		wanted := len(os.Args) == 1
		for _, a := range os.Args[1:] {
			wanted = wanted || a == p.name
		}
		if wanted {
			p.f()
		}
	}
}
