// SPDX-License-Identifier: Apache-2.0
// Rust's std: threads, channels, locks, processes, files, sockets of the Unix kind, panics.
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::sync::{mpsc, Arc, Barrier, Condvar, Mutex, RwLock};
use std::thread;
use std::time::{Duration, Instant};

fn main() {
    let total = Arc::new(Mutex::new(0u64));
    let barrier = Arc::new(Barrier::new(8));
    let map = Arc::new(RwLock::new(HashMap::new()));
    let threads: Vec<_> = (0..8u64)
        .map(|i| {
            let (total, barrier, map) = (total.clone(), barrier.clone(), map.clone());
            thread::spawn(move || {
                for j in 0..1000 {
                    *total.lock().unwrap() += i * j;
                }
                barrier.wait();
                map.write().unwrap().insert(i, i * i);
            })
        })
        .collect();
    for t in threads {
        t.join().unwrap();
    }
    println!("total {} map {}", total.lock().unwrap(), map.read().unwrap().values().sum::<u64>());

    let (tx, rx) = mpsc::sync_channel(4);
    for i in 0..4 {
        let tx = tx.clone();
        thread::spawn(move || (0..250).for_each(|j| tx.send(i * 250 + j).unwrap()));
    }
    drop(tx);
    println!("received {}", rx.iter().sum::<i32>());

    let pair = Arc::new((Mutex::new(false), Condvar::new()));
    let pair2 = pair.clone();
    let start = Instant::now();
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        *pair2.0.lock().unwrap() = true;
        pair2.1.notify_all();
    });
    let mut ready = pair.0.lock().unwrap();
    while !*ready {
        ready = pair.1.wait(ready).unwrap();
    }
    println!("waited {}", start.elapsed() >= Duration::from_millis(20));

    println!("panic caught {}", thread::spawn(|| {
        std::panic::set_hook(Box::new(|_| {}));
        panic!("on purpose")
    }).join().is_err());

    let mut child = Command::new("sort").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"b\na\n").unwrap();
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    println!("{:?} {}", out, child.wait().unwrap());

    let listener = UnixListener::bind("sock").unwrap();
    let server = thread::spawn(move || {
        for s in listener.incoming().take(3) {
            let mut s = s.unwrap();
            let mut line = String::new();
            BufReader::new(s.try_clone().unwrap()).read_line(&mut line).unwrap();
            s.write_all(line.to_uppercase().as_bytes()).unwrap();
        }
    });
    for i in 0..3 {
        let mut s = UnixStream::connect("sock").unwrap();
        writeln!(s, "client {i}").unwrap();
        let mut line = String::new();
        s.read_to_string(&mut line).unwrap();
        print!("{line}");
    }
    server.join().unwrap();

    std::fs::create_dir_all("a/b/c").unwrap();
    std::fs::write("a/b/c/f", vec![7u8; 1 << 20]).unwrap();
    println!("file {} {}", std::fs::metadata("a/b/c/f").unwrap().len(), std::fs::read_dir("a/b").unwrap().count());
    std::fs::remove_dir_all("a").unwrap();
    println!("cpus {}", thread::available_parallelism().unwrap().get() > 0);
}
